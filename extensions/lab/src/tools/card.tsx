/** One tool: what it does, whether it fits the selection, and its form: once with all rows, or once for each. */
import { useEffect, useMemo, useState } from 'react';

import type { Core } from '../core';
import { asProblem, type ApiError } from '../shared/api';
import type { Batch, Entry, Priority, Run, Tool } from '../shared/types';
import { Button, Field, ProblemNotice } from '../shared/components';
import { bytes, count, duration } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { RunEstimate } from '../spend/notices';
import { writableProjects } from '../uploads/target';
import { Credits, networkNote } from './credits';
import { EachPlan, tooLarge } from './each';
import { SchemaForm } from './form';
import { Inputs } from './inputs';
import { PriorityField } from './priority';
import { complaint, fieldsOf, initialValues } from './schema';

type Mode = 'closed' | 'once' | 'each';

/** Whether the selection fits, as it is or in parts. */
export function fits(tool: Tool): boolean {
  return tool.eligible || tool.each > 0;
}

export function ToolCard({
  core,
  tool,
  selection,
  onStarted,
  onBatch
}: {
  core: Core;
  tool: Tool;
  selection: readonly Entry[];
  onStarted: (run: Run) => void;
  onBatch: (batch: Batch) => void;
}): JSX.Element {
  const fields = useMemo(() => fieldsOf(tool.arguments), [tool.digest]);
  const [mode, setMode] = useState<Mode>('closed');
  const [values, setValues] = useState(() => initialValues(fields));
  const [title, setTitle] = useState('');
  const [target, setTarget] = useState('');
  const [priority, setPriority] = useState<Priority>(0);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const several = tool.each > 1;
  const ids = selection.map(entry => entry.id);
  const plan = useLoaded(
    async () =>
      mode === 'each'
        ? await core.api.planBatch({ tool: tool.name, version: tool.version, entries: ids })
        : null,
    [mode === 'each', mode === 'each' && ids.join()]
  );
  useEffect(() => {
    if (!fits(tool) || (mode === 'each' && tool.each === 0) || (mode === 'once' && !tool.eligible)) {
      setMode('closed');
    }
  }, [tool, mode]);
  const projects = writableProjects(core);
  const source = selection[0]?.project ?? '';
  const project = target || (projects.some(p => p.name === source) ? source : (projects[0]?.name ?? ''));
  const wrong = fields.some(field => complaint(field, values[field.name]));
  const items = plan.value?.items ?? [];
  const blocked = mode === 'each' && (items.length === 0 || tooLarge(core, plan.value!, project));

  // What the service says about one field stands at that field, until it is changed.
  const named = problem?.field.startsWith('arguments.') ? problem.field.slice('arguments.'.length) : '';
  const refused =
    problem && mode !== 'closed' && fields.some(field => field.name === named)
      ? { name: named, sentence: problem.message }
      : undefined;
  const change = (next: typeof values): void => {
    setValues(next);
    if (refused && next[refused.name] !== values[refused.name]) {
      setProblem(null);
    }
  };

  const act = async (start: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await start();
      setMode('closed');
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  const order = { tool: tool.name, version: tool.version, project, arguments: values, priority };
  const runOnce = async (inputs: Tool['assignment']): Promise<void> =>
    onStarted(
      await core.api.startRun(
        { ...order, inputs, output_title: title.trim() || undefined },
        crypto.randomUUID()
      )
    );
  const runEach = async (): Promise<void> =>
    items.length === 1
      ? await runOnce(items[0]!.inputs)
      : onBatch(
          await core.api.startBatch(
            { ...order, title: title.trim() || tool.title, items },
            crypto.randomUUID()
          )
        );

  return (
    <li
      className={`vx-Card${fits(tool) ? '' : ' vx-mod-unfit'}`}
      data-testid={`tool-${tool.name}`}
      data-eligible={tool.eligible}
      data-each={tool.each}
    >
      <h4>
        {tool.title} <small>{tool.version}</small>
      </h4>
      <p>{tool.description}</p>
      <Inputs core={core} tool={tool} selection={selection} />
      {!fits(tool) && selection.length > 0 && <p className="vx-Reason">{tool.reason}</p>}
      <p className="vx-Keywords">
        {tool.keywords.map(keyword => (
          <span key={keyword}>{keyword}</span>
        ))}
      </p>
      {mode !== 'closed' && (
        <>
          <SchemaForm fields={fields} values={values} onChange={change} refused={refused} />
          <Field label={mode === 'each' && several ? 'Title of the batch' : 'Title of the result (optional)'}>
            {ids => (
              <input
                {...ids}
                className="vx-Input"
                data-testid="output-title"
                value={title}
                placeholder={mode === 'each' && several ? tool.title : ''}
                maxLength={mode === 'each' ? 100 : 200}
                onChange={e => setTitle(e.target.value)}
              />
            )}
          </Field>
          <Field label={mode === 'each' && several ? 'Results go into' : 'Result goes into'}>
            {ids => (
              <select {...ids} className="vx-Input" value={project} onChange={e => setTarget(e.target.value)}>
                {projects.map(p => (
                  <option key={p.id} value={p.name}>
                    {p.title || p.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <PriorityField core={core} project={project} value={priority} onChange={setPriority} />
          {mode === 'each' ? (
            <EachPlan core={core} tool={tool} plan={plan} selection={selection} project={project} />
          ) : (
            <p className="vx-Muted">
              At most {duration(tool.resources.time)}, {tool.resources.cpu} CPU,{' '}
              {bytes(tool.resources.memory)} memory. {networkNote(tool)}
            </p>
          )}
          <RunEstimate core={core} tool={tool} project={project} runs={mode === 'each' ? items.length : 1} />
          <Credits tool={tool} />
        </>
      )}
      {problem && !refused && <ProblemNotice problem={problem} />}
      {fits(tool) && (
        <div className="vx-Buttons">
          {mode === 'each' ? (
            <Button
              label={items.length > 0 ? `Start ${count(items.length, 'run')}` : 'Start'}
              icon="play"
              kind="primary"
              testId={`start-each-${tool.name}`}
              disabled={busy || wrong || blocked}
              onClick={() => void act(runEach)}
            />
          ) : (
            tool.each > (tool.eligible ? 1 : 0) && (
              <Button
                label={`Run on each (${count(tool.each, 'run')})`}
                icon="play"
                kind={mode === 'once' ? 'plain' : 'primary'}
                testId={`each-${tool.name}`}
                disabled={busy}
                onClick={() => setMode('each')}
              />
            )
          )}
          {tool.eligible && mode !== 'each' && (
            <Button
              label={several ? 'Run once' : 'Run'}
              icon={several ? undefined : 'play'}
              kind={several && mode !== 'once' ? 'plain' : 'primary'}
              testId={`run-${tool.name}`}
              disabled={busy || (wrong && mode === 'once')}
              title={several ? 'One run with all chosen rows' : undefined}
              // What must be filled in first is shown, not guessed at.
              onClick={() => (wrong ? setMode('once') : void act(() => runOnce(tool.assignment)))}
            />
          )}
          {mode === 'each' ? (
            <Button label="Back" kind="quiet" disabled={busy} onClick={() => setMode('closed')} />
          ) : (
            tool.eligible && (
              <Button
                label="Options"
                icon="chevron"
                kind="quiet"
                expanded={mode === 'once'}
                testId={`options-${tool.name}`}
                onClick={() => setMode(mode === 'once' ? 'closed' : 'once')}
              />
            )
          )}
        </div>
      )}
    </li>
  );
}
