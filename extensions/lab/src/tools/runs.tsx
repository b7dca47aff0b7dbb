/** The runs of my projects: state, progress, log, and what may be done. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Run, RunState } from '../shared/types';
import { Button, Empty, ProblemNotice, ProgressBar } from '../shared/components';
import { duration, moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { RunLog } from './log';

const LIMIT = 30;

const STATES: Record<RunState, { text: string; tone: 'wait' | 'live' | 'good' | 'bad' | 'off' }> = {
  queued: { text: 'Queued', tone: 'wait' },
  staging_in: { text: 'Preparing', tone: 'live' },
  running: { text: 'Running', tone: 'live' },
  staging_out: { text: 'Saving results', tone: 'live' },
  succeeded: { text: 'Succeeded', tone: 'good' },
  failed: { text: 'Failed', tone: 'bad' },
  cancelled: { text: 'Cancelled', tone: 'off' }
};

export function ended(run: Run): boolean {
  return run.state === 'succeeded' || run.state === 'failed' || run.state === 'cancelled';
}

function useNow(active: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!active) {
      return undefined;
    }
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [active]);
  return now;
}

function RunRow({
  core,
  run,
  open,
  onOpen,
  onResult,
  onChanged
}: {
  core: Core;
  run: Run;
  open: boolean;
  onOpen: () => void;
  onResult: (run: Run) => void;
  onChanged: () => void;
}): JSX.Element {
  const over = ended(run);
  const now = useNow(!over);
  const state = STATES[run.state];
  const until = run.ended_at ? Date.parse(run.ended_at) : now;
  const elapsed = run.started_at ? duration((until - Date.parse(run.started_at)) / 1000) : '';
  const act = (action: Promise<unknown>): void => void action.then(onChanged, error => core.report(error));
  return (
    <li className="vx-Run" data-testid="run-row" data-run={run.id} data-state={run.state}>
      <div className="vx-Run-head">
        <span className={`vx-Chip vx-mod-${state.tone}`}>{state.text}</span>
        <strong title={run.title}>{run.title}</strong>
      </div>
      <small className="vx-Muted">
        {[run.label, run.tool ?? 'Import', run.owner, run.project, moment(run.created_at), elapsed]
          .filter(Boolean)
          .join(' · ')}
      </small>
      {!over && (
        <ProgressBar
          value={run.state === 'queued' ? 0 : run.progress || undefined}
          label={`Progress of ${run.label}`}
        />
      )}
      {!over && run.progress_text && <small>{run.progress_text}</small>}
      {run.reason && (
        <p className="vx-Reason" role="status">
          {run.reason}
        </p>
      )}
      <div className="vx-Buttons vx-mod-compact">
        {run.output_dataset_id && (
          <Button
            label="Show result"
            icon="datasets"
            kind={over ? 'plain' : 'quiet'}
            testId="run-result"
            onClick={() => onResult(run)}
          />
        )}
        <Button
          label="Log"
          icon="text"
          kind="quiet"
          expanded={open}
          testId="run-log-button"
          onClick={onOpen}
        />
        {run.cancellable && (
          <Button
            label="Cancel"
            icon="stop"
            kind="quiet"
            testId="run-cancel"
            onClick={() => act(core.api.cancelRun(run.id))}
          />
        )}
        {over && run.kind === 'tool' && (
          <Button
            label="Run again"
            icon="repeat"
            kind="quiet"
            testId="run-again"
            onClick={() => act(core.api.repeatRun(run.id, crypto.randomUUID()))}
          />
        )}
      </div>
      {open && <RunLog core={core} run={run.id} />}
    </li>
  );
}

export function Runs({
  core,
  started,
  onResult
}: {
  core: Core;
  /** The run to show opened, just started here. */
  started: string | null;
  onResult: (run: Run) => void;
}): JSX.Element {
  const [kind, setKind] = useState<'tool' | ''>('tool');
  const [limit, setLimit] = useState(LIMIT);
  const [opened, setOpened] = useState<string | null>(null);
  const runs = useLoaded(() => core.api.runs({ kind, limit }), [kind, limit, started]);
  useEffect(() => setOpened(started), [started]);
  useEffect(() => core.events.on('run', runs.reload), [core, runs.reload]);
  return (
    <section className="vx-Section" aria-label="Runs">
      <div className="vx-Section-head">
        <h3>Runs</h3>
        <Button
          label="Imports too"
          kind="quiet"
          pressed={kind === ''}
          onClick={() => setKind(k => (k ? '' : 'tool'))}
        />
      </div>
      {runs.problem && <ProblemNotice problem={runs.problem} onRetry={runs.reload} />}
      {runs.value?.total === 0 && (
        <Empty icon="play" title="No runs yet">
          Select a row in the workspace and press Run on a tool that fits.
        </Empty>
      )}
      <ul className="vx-List">
        {runs.value?.items.map(run => (
          <RunRow
            key={run.id}
            core={core}
            run={run}
            open={opened === run.id}
            onOpen={() => setOpened(id => (id === run.id ? null : run.id))}
            onResult={onResult}
            onChanged={runs.reload}
          />
        ))}
      </ul>
      {runs.value && runs.value.total > limit && (
        <Button label="Show more" kind="quiet" onClick={() => setLimit(n => n + LIMIT)} />
      )}
    </section>
  );
}
