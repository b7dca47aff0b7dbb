/** Words of the activity page, and what its filters ask the service for. */
import type { AuditQuery } from '../shared/api';
import type { AuditEvent } from '../shared/types';

/** An action that ends in a full stop stands for all that begin so. */
export const ACTIONS = [
  { id: 'run.', title: 'Runs' },
  { id: 'batch.', title: 'Batches' },
  { id: 'upload.', title: 'Bringing data in' },
  { id: 'dataset.', title: 'Datasets' },
  { id: 'entry.', title: 'Renamed or retyped' },
  { id: 'file.view', title: 'Looked at' },
  { id: 'file.download', title: 'Downloads' },
  { id: 'quarantine.', title: 'Quarantine' },
  { id: 'tool.', title: 'Tools' },
  { id: 'server.', title: 'Notebook servers' },
  { id: 'project.', title: 'Projects' },
  { id: 'token.', title: 'Access tokens' },
  { id: 'user.', title: 'Sign-ins and accounts' },
  { id: 'audit.', title: 'Audit log' }
] as const;

export const OUTCOMES = [
  { id: 'success', title: 'Done' },
  { id: 'denied', title: 'Refused' },
  { id: 'failure', title: 'Failed' }
] as const;

export interface Wanted {
  actor: string;
  action: string;
  resource: string;
  outcome: string;
  /** Days of the reader's own calendar, as `2026-11-30`. */
  from: string;
  to: string;
}

export const ALL: Wanted = { actor: '', action: '', resource: '', outcome: '', from: '', to: '' };

export function isFiltered(wanted: Wanted): boolean {
  return Object.values(wanted).some(Boolean);
}

/** Midnight of a day here, `more` days later, as the service takes times. */
function midnight(day: string, more = 0): string | undefined {
  const [year, month, date] = day.split('-').map(Number);
  const moment = year && month && date ? new Date(year, month - 1, date + more) : null;
  return moment && moment.getFullYear() > 1000 ? moment.toISOString() : undefined;
}

export function queryOf(wanted: Wanted): AuditQuery {
  const { actor, action, resource, outcome, from, to } = wanted;
  return {
    actor: actor.trim() || undefined,
    action: action || undefined,
    resource: resource.trim() || undefined,
    outcome: outcome || undefined,
    since: midnight(from),
    until: midnight(to, 1)
  };
}

/** `Today`, `Yesterday`, or `Wednesday 25 November 2026`. */
export function dayName(at: Date, now = new Date()): string {
  const days = Math.round(
    (new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime() -
      new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime()) /
      86_400_000
  );
  const long: Intl.DateTimeFormatOptions = {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric'
  };
  return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : at.toLocaleDateString('en-GB', long);
}

/** Records under the day of each, in their order. */
export function byDay(events: readonly AuditEvent[]): { day: string; events: AuditEvent[] }[] {
  const days: { day: string; events: AuditEvent[] }[] = [];
  for (const event of events) {
    const day = dayName(new Date(event.at));
    const last = days[days.length - 1];
    if (last?.day === day) {
      last.events.push(event);
    } else {
      days.push({ day, events: [event] });
    }
  }
  return days;
}

/** `14:05`, in the reader's own time zone. */
export function clock(at: string): string {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}
