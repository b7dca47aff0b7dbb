/** How far the log is checked and signed, and whether that lies out of reach of who controls this machine. */
import { ProblemNotice } from '../shared/components';
import { Icon } from '../shared/icons';
import type { Loaded } from '../shared/hooks';
import type { AuditState } from '../shared/types';
import { clock, dayName } from './words';

function second(state: AuditState): string {
  if (state.second_size === null) {
    return 'No second place is set: whoever controls the server could rewrite all of it.';
  }
  const far = `The second place has it up to record ${state.second_size.toLocaleString('en-GB')}.`;
  return state.second_problem ? `${far} ${state.second_problem} It is tried again.` : far;
}

function signed(state: AuditState): string {
  if (!state.time) {
    return 'The log has no checkpoint yet.';
  }
  const made = new Date(state.time);
  const day = dayName(made);
  const when = `${clock(state.time)}${day === 'Today' ? '' : `, ${day}`}`;
  return `The log is whole up to record ${state.size.toLocaleString('en-GB')}: checkpoint of ${when}, signed.`;
}

export function StateLine({ state }: { state: Loaded<AuditState | null> }): JSX.Element | null {
  if (state.problem) {
    return <ProblemNotice problem={state.problem} onRetry={state.reload} />;
  }
  const found = state.value;
  if (!found) {
    return null;
  }
  const waiting = found.records - found.size;
  const bad = found.late || !!found.second_problem;
  return (
    <div
      className={`vx-Activity-state${bad ? ' vx-mod-bad' : ''}`}
      role="status"
      data-testid="activity-state"
    >
      <Icon name={bad ? 'warning' : 'shield'} />
      <div>
        <strong>{signed(found)}</strong>
        {waiting > 0 && (
          <span>
            {' '}
            {waiting.toLocaleString('en-GB')} newer {waiting === 1 ? 'record waits' : 'records wait'} for the
            next one{found.late ? ', for longer than they should' : ''}.
          </span>
        )}{' '}
        <span>{second(found)}</span>
      </div>
    </div>
  );
}
