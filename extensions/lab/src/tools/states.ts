/** How the states of a run are said and coloured. */
import type { Run, RunState } from '../shared/types';

export type Tone = 'wait' | 'live' | 'good' | 'bad' | 'off';

export const STATES: Record<RunState, { text: string; tone: Tone }> = {
  queued: { text: 'Queued', tone: 'wait' },
  staging_in: { text: 'Preparing', tone: 'live' },
  running: { text: 'Running', tone: 'live' },
  staging_out: { text: 'Saving results', tone: 'live' },
  succeeded: { text: 'Succeeded', tone: 'good' },
  failed: { text: 'Failed', tone: 'bad' },
  cancelled: { text: 'Cancelled', tone: 'off' }
};

export function ended(run: Pick<Run, 'state'>): boolean {
  return run.state === 'succeeded' || run.state === 'failed' || run.state === 'cancelled';
}
