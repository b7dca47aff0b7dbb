/** A new cluster: what it is made of, its bounds, how long it lives, and its price before the button. */
import { useEffect, useRef, useState } from 'react';

import type { Core } from '../core';
import { Field, Notice, ProblemNotice } from '../shared/components';
import { SelectField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { asSentence } from '../shared/format';
import { useLoaded, useSettled } from '../shared/hooks';
import { Budgets } from '../spend/budgets';
import type { Cluster, ClusterChoices, ClusterIn } from '../shared/types';
import { projectLabel, writableProjects } from '../uploads/target';
import { SizeFields, sizeBody, sizeWrong, type SizeWanted } from './size-fields';
import { idleText, kindLabel, localInput, priceRange } from './words';

const HOURS: readonly { id: string; title: string }[] = [
  { id: '4', title: 'Pinned: goes on for 4 hours without my server' },
  { id: '12', title: 'Pinned: 12 hours' },
  { id: 'time', title: 'Pinned until a time' }
];

interface Draft {
  title: string;
  project: string;
  environment: string;
  kind: string;
  size: SizeWanted;
  /** Empty: with the server. */
  life: string;
  until: string;
}

function draftOf(core: Core, choices: ClusterChoices): Draft {
  const first = <T extends { name: string; default: boolean }>(items: readonly T[]): string =>
    (items.find(item => item.default) ?? items[0])?.name ?? '';
  return {
    title: '',
    project: writableProjects(core)[0]?.name ?? '',
    environment: first(choices.environments),
    kind: first(choices.kinds),
    size: {
      adaptive: true,
      minimum: 0,
      maximum: Math.min(4, choices.ceiling),
      workers: Math.min(2, choices.ceiling)
    },
    life: '',
    until: localInput(new Date(Date.now() + 8 * 3600_000))
  };
}

function pinnedUntil(draft: Draft): string | null {
  if (!draft.life) {
    return null;
  }
  const time =
    draft.life === 'time' ? new Date(draft.until) : new Date(Date.now() + Number(draft.life) * 3600_000);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

function timeWrong(draft: Draft): string {
  if (draft.life !== 'time') {
    return '';
  }
  const time = new Date(draft.until).getTime();
  return Number.isNaN(time) ? 'Choose a day and a time.' : time < Date.now() ? 'This time is over.' : '';
}

function bodyOf(draft: Draft): ClusterIn {
  return {
    title: draft.title.trim() || 'Cluster',
    project: draft.project,
    environment: draft.environment,
    kind: draft.kind,
    ...sizeBody(draft.size),
    pinned_until: pinnedUntil(draft),
    made_in: 'panel'
  };
}

/** What it costs and what is left, or why it would be refused; asked again when the form rests. */
function usePrice(core: Core, draft: Draft, wrong: boolean) {
  const priced = JSON.stringify({ ...draft, title: '' });
  const settled = useSettled(wrong ? '' : priced, 300);
  return useLoaded(async () => (settled ? await core.api.estimateCluster(bodyOf(draft)) : null), [settled]);
}

function Basics({
  core,
  choices,
  draft,
  set
}: {
  core: Core;
  choices: ClusterChoices;
  draft: Draft;
  set: (change: Partial<Draft>) => void;
}): JSX.Element {
  return (
    <>
      <div className="vx-Form-columns">
        <TextField
          label="Title (optional)"
          testId="cluster-title"
          value={draft.title}
          maxLength={100}
          placeholder="Cluster"
          onChange={title => set({ title })}
        />
        <SelectField
          label="Project"
          hint="Its workers read this project’s data, and it pays."
          testId="cluster-project"
          value={draft.project}
          options={writableProjects(core).map(one => ({ id: one.name, title: projectLabel(one) }))}
          onChange={project => set({ project })}
        />
      </div>
      <SelectField
        label="Environment"
        hint="The one your notebook uses: versions must be the same on both sides."
        testId="cluster-environment"
        value={draft.environment}
        options={choices.environments.map(one => ({
          id: one.name,
          title: `${one.title} (Dask ${one.dask})`
        }))}
        onChange={environment => set({ environment })}
      />
      <SelectField
        label="Each worker"
        testId="cluster-kind"
        value={draft.kind}
        options={choices.kinds.map(one => ({ id: one.name, title: kindLabel(one, choices.currency) }))}
        onChange={kind => set({ kind })}
      />
      <SizeFields size={draft.size} ceiling={choices.ceiling} onChange={size => set({ size })} />
      <div className="vx-Form-columns">
        <SelectField
          label="It ends"
          testId="cluster-life"
          value={draft.life}
          any={`With my server, ${idleText(choices)}`}
          options={HOURS}
          onChange={life => set({ life })}
        />
        {draft.life === 'time' && (
          <Field label="Goes on until" error={timeWrong(draft)}>
            {ids => (
              <input
                {...ids}
                type="datetime-local"
                className="vx-Input"
                data-testid="cluster-until"
                value={draft.until}
                onChange={event => set({ until: event.target.value })}
              />
            )}
          </Field>
        )}
      </div>
    </>
  );
}

export function CreateDialog({
  core,
  choices,
  onClose,
  onCreated
}: {
  core: Core;
  choices: ClusterChoices;
  onClose: () => void;
  onCreated: (cluster: Cluster) => void;
}): JSX.Element {
  const [draft, setDraft] = useState(() => draftOf(core, choices));
  const key = useRef(crypto.randomUUID());
  const wrong = sizeWrong(draft.size, choices.ceiling) || timeWrong(draft) !== '' || !draft.project;
  const price = usePrice(core, draft, wrong);
  useEffect(() => {
    key.current = crypto.randomUUID(); // another wish is another request
  }, [draft]);
  const estimate = wrong ? null : price.value;
  const range = estimate
    ? priceRange(estimate.price_per_hour_floor, estimate.price_per_hour_maximum, estimate.currency)
    : '';
  return (
    <FormDialog
      title="New cluster"
      testId="cluster-create-dialog"
      wide
      confirm={{
        label: range ? `Create for ${range}` : 'Create cluster',
        icon: 'play',
        disabled: wrong || !!estimate?.refused,
        testId: 'cluster-create-confirm'
      }}
      save={async () => onCreated(await core.api.createCluster(bodyOf(draft), key.current))}
      onClose={onClose}
    >
      <Basics
        core={core}
        choices={choices}
        draft={draft}
        set={change => setDraft(now => ({ ...now, ...change }))}
      />
      <div className="vx-Estimate" aria-live="polite" data-testid="cluster-estimate">
        {price.problem && <ProblemNotice problem={price.problem} onRetry={price.reload} />}
        {estimate?.refused && <Notice kind="error">{estimate.refused}</Notice>}
        {estimate && <p>{asSentence(estimate.sentence)}</p>}
        {estimate && <Budgets budgets={estimate.budgets} compact />}
      </div>
    </FormDialog>
  );
}
