/** A batch: one bar for all its runs, how many are in which state, its items, its table, and what may be done. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Batch, Entry, RunState } from '../shared/types';
import { Button, ProgressBar } from '../shared/components';
import { FormDialog } from '../shared/form-dialog';
import { count, moment } from '../shared/format';
import { BatchItems } from './batch-items';
import { selectResultsOfBatch } from './next';
import { STATES, type Tone } from './states';

const WORDS: Record<Batch['state'], { text: string; tone: Tone }> = {
  queued: { text: 'Queued', tone: 'wait' },
  running: { text: 'Running', tone: 'live' },
  joining: { text: 'Joining tables', tone: 'live' },
  succeeded: { text: 'Succeeded', tone: 'good' },
  failed: { text: 'Failed', tone: 'bad' },
  cancelled: { text: 'Cancelled', tone: 'off' }
};
const ORDER: readonly RunState[] = [
  'failed',
  'cancelled',
  'running',
  'staging_in',
  'staging_out',
  'queued',
  'succeeded'
];

/** Where some items failed, "Failed" alone would hide that the others are done. */
function said(batch: Batch): { text: string; tone: Tone } {
  const failed = batch.counts.failed ?? 0;
  return batch.state === 'failed' && failed < batch.total && failed > 0
    ? { text: `${failed.toLocaleString('en-GB')} failed`, tone: 'bad' }
    : WORDS[batch.state];
}

export interface BatchActions {
  /** Shows an entry in its viewer. */
  open: (entry: Entry) => void;
  showBatch: (batch: Batch) => void;
  showDataset: (project: string, dataset: string) => void;
}

export function BatchRow({
  core,
  batch,
  open,
  onOpen,
  actions,
  onChanged
}: {
  core: Core;
  batch: Batch;
  open: boolean;
  onOpen: (open: boolean) => void;
  actions: BatchActions;
  onChanged: () => void;
}): JSX.Element {
  const [only, setOnly] = useState<RunState | null>(null);
  const [asking, setAsking] = useState(false);
  const state = said(batch);
  const going = batch.state === 'queued' || batch.state === 'running' || batch.state === 'joining';
  const left = ORDER.filter(one => !['failed', 'cancelled', 'succeeded'].includes(one)).reduce(
    (sum, one) => sum + (batch.counts[one] ?? 0),
    0
  );
  const act = (action: Promise<unknown>): void => void action.then(onChanged, error => core.report(error));
  const done = batch.counts.succeeded ?? 0;
  const tableFailed = batch.table_state === 'failed' || batch.table_state === 'cancelled';
  const filter = (one: RunState): void => {
    setOnly(open && only === one ? null : one);
    onOpen(true);
  };
  return (
    <li className="vx-Run vx-Batch" data-testid="batch-row" data-batch={batch.id} data-state={batch.state}>
      <div className="vx-Run-head">
        <span className={`vx-Chip vx-mod-${state.tone}`}>{state.text}</span>
        <strong title={batch.title}>{batch.title}</strong>
      </div>
      <small className="vx-Muted">
        {[
          `Batch of ${count(batch.total, 'run')}`,
          `${batch.tool} ${batch.tool_version}`,
          batch.owner,
          batch.project,
          moment(batch.created_at)
        ].join(' · ')}
      </small>
      <ProgressBar
        value={batch.progress}
        label={`Progress of ${batch.title}`}
        state={going ? 'active' : done > 0 ? 'done' : batch.state === 'failed' ? 'failed' : 'paused'}
      />
      <div className="vx-Counts" role="group" aria-label="Items by state">
        {ORDER.filter(one => (batch.counts[one] ?? 0) > 0).map(one => (
          <button
            key={one}
            type="button"
            className={`vx-Chip vx-mod-${STATES[one].tone}`}
            aria-pressed={open && only === one}
            title={`Show these items`}
            data-testid={`batch-count-${one}`}
            onClick={() => filter(one)}
          >
            {(batch.counts[one] ?? 0).toLocaleString('en-GB')} {STATES[one].text.toLowerCase()}
          </button>
        ))}
      </div>
      {tableFailed && batch.retryable === 0 && (
        <p className="vx-Reason" role="status">
          Its table was not made. {batch.table_reason}
        </p>
      )}
      <div className="vx-Buttons vx-mod-compact">
        {batch.table_entry_id && (
          <Button
            label="Open table"
            icon="workspace"
            kind="plain"
            testId="batch-table"
            onClick={() => act(core.api.entry(batch.table_entry_id!).then(actions.open))}
          />
        )}
        <Button
          label="Items"
          icon="chevron"
          kind="quiet"
          expanded={open}
          testId="batch-items"
          onClick={() => {
            setOnly(null);
            onOpen(!open);
          }}
        />
        {done > 0 && (
          <Button
            label="Run next"
            icon="next"
            kind="quiet"
            title="Selects what its runs made and shows the tools that fit"
            testId="batch-next"
            onClick={() => act(selectResultsOfBatch(core, batch))}
          />
        )}
        {!going && (batch.retryable > 0 || tableFailed) && (
          <Button
            label={
              batch.retryable > 0 ? `Retry ${retried(batch)} (${batch.retryable})` : 'Make the table again'
            }
            icon="repeat"
            kind="quiet"
            testId="batch-retry"
            onClick={() => act(core.api.retryBatch(batch.id, crypto.randomUUID()))}
          />
        )}
        {done > 0 && (
          <Button
            label="Show results"
            icon="datasets"
            kind="quiet"
            testId="batch-results"
            onClick={() => actions.showBatch(batch)}
          />
        )}
        {batch.cancellable && (
          <Button
            label="Cancel all"
            icon="stop"
            kind="quiet"
            testId="batch-cancel"
            onClick={() => setAsking(true)}
          />
        )}
      </div>
      {open && (
        <BatchItems
          core={core}
          batch={batch}
          state={only}
          onResult={dataset => actions.showDataset(batch.project, dataset)}
        />
      )}
      {asking && (
        <FormDialog
          title="Cancel the batch?"
          testId="batch-cancel-dialog"
          confirm={{ label: `Cancel ${count(left, 'run')}`, kind: 'danger', testId: 'batch-cancel-confirm' }}
          save={async () => {
            await core.api.cancelBatch(batch.id);
            onChanged();
          }}
          onClose={() => setAsking(false)}
        >
          <p>
            {count(left, 'run')} of “{batch.title}” {left === 1 ? 'has' : 'have'} not ended.{' '}
            {done > 0
              ? `What ${count(done, 'run has', 'runs have')} made stays.`
              : 'Nothing has been made yet.'}
          </p>
        </FormDialog>
      )}
    </li>
  );
}

function retried(batch: Batch): string {
  return batch.counts.failed ? (batch.counts.cancelled ? 'failed and cancelled' : 'failed') : 'cancelled';
}
