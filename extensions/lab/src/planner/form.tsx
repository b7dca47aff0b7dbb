/** A new plan: slides, prices, limits, and where the result goes. It becomes a run like any other. */
import { useEffect, useMemo, useState } from 'react';

import type { Core } from '../core';
import type { Entry, Run, Tool } from '../shared/types';
import { asProblem, type ApiError } from '../shared/api';
import { Button, Notice, ProblemNotice } from '../shared/components';
import { SelectField, TextField } from '../shared/fields';
import { count } from '../shared/format';
import { useLoaded, type Loaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import { SchemaForm } from '../tools/form';
import { complaint, fieldsOf, initialValues, type FormField } from '../tools/schema';
import { defaultProject, projectLabel, writableProjects } from '../uploads/target';
import { SlidePicker, type useSlides } from './slides';

/** What decides about a plan, in the order in which people think about it; all else is under “Advanced”. */
const SPLIT = ['strategy'];
const LIMITS = ['max_nodes', 'budget', 'deadline', 'max_share', 'max_pair_leak'];

/** The rows that may be price lists, read again when data comes or goes. */
function usePrices(core: Core, tool: Tool): Loaded<Entry[]> {
  const prices = useLoaded(
    async () => (core.planner.priceInput ? core.planner.offers(core.planner.priceInput) : []),
    [core, tool.digest]
  );
  useEffect(() => core.events.on('dataset', prices.reload), [core, prices.reload]);
  return prices;
}

function PriceField({
  offers,
  value,
  onChange
}: {
  offers: readonly Entry[];
  value: Entry | null;
  onChange: (entry: Entry | null) => void;
}): JSX.Element {
  // A newer version never takes the place of what was chosen by itself.
  const all = value && !offers.some(entry => entry.id === value.id) ? [value, ...offers] : offers;
  return (
    <SelectField
      label="Price list"
      testId="planner-prices"
      hint={
        value
          ? 'Nodes, prices, links and speeds come from this file.'
          : 'Invented nodes and prices, good for trying the planner. Never decide by them: bring in a price list of your own.'
      }
      value={value?.id ?? ''}
      any="Example list (fictional prices)"
      options={all.map(entry => ({
        id: entry.id,
        title: `${entry.name} · ${entry.dataset_title} v${entry.version}`
      }))}
      onChange={id => onChange(all.find(entry => entry.id === id) ?? null)}
    />
  );
}

function titleFor(slides: readonly Entry[]): string {
  const [only, ...more] = slides.map(entry => entry.name.replace(/\.(svs|tiff?|dcm)$/i, ''));
  return more.length === 0 ? `Plan for ${only}` : `Plan for ${count(slides.length, 'slide')}`;
}

export function NewPlan({
  core,
  tool,
  slides,
  onStarted
}: {
  core: Core;
  tool: Tool;
  slides: ReturnType<typeof useSlides>;
  onStarted: (run: Run) => void;
}): JSX.Element {
  useStore(core.me);
  const chosen = useStore(core.planner.slides);
  const fields = useMemo(() => fieldsOf(tool.arguments), [tool.digest]);
  const [values, setValues] = useState(() => initialValues(fields));
  const [priceList, setPriceList] = useState<Entry | null>(null);
  const [target, setTarget] = useState('');
  const [title, setTitle] = useState('');
  const [more, setMore] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const prices = usePrices(core, tool);
  const named = (names: readonly string[]): FormField[] =>
    names.flatMap(name => fields.filter(field => field.name === name));
  const rest = fields.filter(field => ![...SPLIT, ...LIMITS].includes(field.name));
  const wrong = fields.some(field => complaint(field, values[field.name]));
  const project = target || defaultProject(core, chosen[0]?.project ?? '');

  const at = problem?.field.replace(/^arguments\./, '') ?? '';
  const refused =
    problem && fields.some(field => field.name === at) ? { name: at, sentence: problem.message } : undefined;
  const change = (next: typeof values): void => {
    setValues(next);
    setProblem(null);
  };
  const start = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const inputs = { [tool.inputs[0]!.name]: chosen.map(entry => entry.id) };
      if (priceList) {
        inputs[tool.inputs[1]!.name] = [priceList.id];
      }
      const order = { tool: tool.name, version: tool.version, project, inputs, arguments: values };
      const output_title = (title.trim() || titleFor(chosen)).slice(0, 200);
      onStarted(await core.api.startRun({ ...order, output_title }, crypto.randomUUID()));
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  const form = { values, onChange: change, refused };
  return (
    <section className="vx-Section vx-Planner-new" aria-label="New plan">
      <SlidePicker core={core} slides={slides} maximum={tool.inputs[0]?.maximum ?? 1} />
      {tool.inputs.length > 1 && (
        <PriceField offers={prices.value ?? []} value={priceList} onChange={setPriceList} />
      )}
      <SchemaForm fields={named(SPLIT)} {...form} />
      <section className="vx-Section" aria-label="Limits">
        <h3>Limits</h3>
        <SchemaForm fields={named(LIMITS)} {...form} />
      </section>
      <SelectField
        label="The plan goes into"
        testId="planner-project"
        value={project}
        options={writableProjects(core).map(one => ({ id: one.name, title: projectLabel(one) }))}
        onChange={setTarget}
      />
      <div>
        <Button
          label="Advanced"
          icon="chevron"
          kind="quiet"
          expanded={more}
          testId="options-planner"
          onClick={() => setMore(on => !on)}
        />
      </div>
      {more && (
        <div className="vx-Planner-more">
          <SchemaForm fields={rest} {...form} />
          <TextField
            label="Title of the plan (optional)"
            testId="planner-title"
            value={title}
            placeholder={chosen.length > 0 ? titleFor(chosen) : ''}
            onChange={setTitle}
          />
        </div>
      )}
      {!more && rest.some(field => complaint(field, values[field.name]) || refused?.name === field.name) && (
        <Notice kind="warning">Something under “Advanced” must be changed first.</Notice>
      )}
      {problem && !refused && <ProblemNotice problem={problem} />}
      <Button
        label={chosen.length > 0 ? `Plan ${count(chosen.length, 'slide')}` : 'Plan'}
        icon="planner"
        kind="primary"
        testId="planner-start"
        disabled={busy || wrong || chosen.length === 0 || !project}
        title={chosen.length === 0 ? 'Choose a slide first' : undefined}
        onClick={() => void start()}
      />
      <small>
        {chosen.length === 0 ? 'Choose a slide first. ' : ''}
        Only the plan is made: nothing is sent to any machine.
      </small>
    </section>
  );
}
