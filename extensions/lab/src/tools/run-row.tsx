/** One run: state, progress, why it waits or failed, its log, and what may be done. */
import type { Core } from '../core';
import type { Run } from '../shared/types';
import { Compared, RunEvidence } from '../lineage/evidence';
import { Button, ProgressBar } from '../shared/components';
import { duration, moment } from '../shared/format';
import { useNow } from '../shared/hooks';
import type { IconName } from '../shared/icons';
import { RunLog } from './log';
import { selectResultsOf } from './next';
import { STATES, ended } from './states';

export function RunRow({
  core,
  run,
  open,
  result,
  onOpen,
  onResult,
  onChanged
}: {
  core: Core;
  run: Run;
  open: boolean;
  /** What its result is called where it has a page of its own; then no next tool is offered. */
  result?: { label: string; icon: IconName };
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
        {run.priority !== 0 && (
          <small className="vx-Muted">{run.priority > 0 ? 'high priority' : 'low priority'}</small>
        )}
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
      <Compared core={core} run={run} />
      <div className="vx-Buttons vx-mod-compact">
        {run.output_dataset_id && (
          <Button
            label={result?.label ?? 'Show result'}
            icon={result?.icon ?? 'datasets'}
            kind={over ? (result ? 'primary' : 'plain') : 'quiet'}
            testId="run-result"
            onClick={() => onResult(run)}
          />
        )}
        {run.output_dataset_id && run.kind === 'tool' && !result && (
          <Button
            label="Run next"
            icon="next"
            kind="quiet"
            title="Selects what it made and shows the tools that fit"
            testId="run-next"
            onClick={() => act(selectResultsOf(core, run))}
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
        <RunEvidence core={core} run={run} compact />
      </div>
      {open && <RunLog core={core} run={run.id} />}
    </li>
  );
}
