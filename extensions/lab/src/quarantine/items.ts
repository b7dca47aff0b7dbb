/** What is in quarantine, as the page asks for it: the service filters by one state at a time. */
import type { Api } from '../shared/api';
import type { Quarantined, QuarantineState } from '../shared/types';

export type View = 'waiting' | 'decided';

export const STATES: Record<View, readonly QuarantineState[]> = {
  waiting: ['held', 'releasing'],
  decided: ['released', 'rejected', 'expired']
};

export interface Items {
  view: View;
  total: number;
  items: Quarantined[];
}

/** Waiting: imports newest first, their files in order. Decided: latest decision first. */
export async function loadItems(
  api: Api,
  view: View,
  where: { project?: string; run?: string },
  limit: number
): Promise<Items> {
  const pages = await Promise.all(STATES[view].map(state => api.quarantine({ ...where, state, limit })));
  const items = pages.flatMap(page => page.items);
  items.sort(view === 'waiting' ? byImport : byDecision);
  return { view, total: pages.reduce((sum, page) => sum + page.total, 0), items: items.slice(0, limit) };
}

function byImport(a: Quarantined, b: Quarantined): number {
  return a.run_id === b.run_id ? a.number - b.number : b.created_at.localeCompare(a.created_at);
}

function byDecision(a: Quarantined, b: Quarantined): number {
  return (b.decided_at ?? '').localeCompare(a.decided_at ?? '');
}

/** `text_in_pixels` as people read it. */
export function words(code: string): string {
  const plain = code.replace(/_/g, ' ');
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** What a file is; DICOM names its classes after their storage, people do not. */
export function kindOf(item: Quarantined): string {
  return item.what.replace(/ Image Storage\b/, ' image').replace(/ Storage\b/, '');
}
