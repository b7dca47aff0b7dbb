/** What the table shows: filters and order, kept across a reload. */
import type { EntryQuery } from '../shared/api';

export interface TableState {
  q: string;
  project: string;
  data_type: string;
  file_format: string;
  execution: string;
  /** What a batch made: its id, and its title to show. */
  batch: string;
  batch_title: string;
  sort: string;
}

export const INITIAL: TableState = {
  q: '',
  project: '',
  data_type: '',
  file_format: '',
  execution: '',
  batch: '',
  batch_title: '',
  sort: '-created_at'
};
const KEY = 'voxelhub:workspace-table';

export function restoreState(): TableState {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<TableState>;
    const known = Object.entries(saved).filter(
      ([name, value]) => name in INITIAL && typeof value === 'string'
    );
    return { ...INITIAL, ...Object.fromEntries(known) };
  } catch {
    return INITIAL;
  }
}

export function saveState(state: TableState): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Storage is full or forbidden: the table starts fresh next time.
  }
}

export function isFiltered(state: TableState): boolean {
  return Boolean(
    state.q || state.project || state.data_type || state.file_format || state.execution || state.batch
  );
}

export function toQuery(state: TableState): EntryQuery {
  return Object.fromEntries(Object.entries(state).filter(([name]) => name !== 'batch_title'));
}

/** A click on a header: ascending, then descending. */
export function toggled(sort: string, column: string): string {
  return sort === column ? `-${column}` : column;
}
