/** What may be done with chosen rows; used by toolbar, row menu and keyboard alike. */
import { Notification } from '@jupyterlab/apputils';

import type { Core } from '../core';
import type { Entry } from '../shared/types';
import { count } from '../shared/format';

const VIEWABLE = new Set<Entry['kind']>(['series', 'volume', 'image', 'table', 'text']);
const VOLUMES = new Set<Entry['kind']>(['series', 'volume']);

/** Why these rows cannot be viewed together; empty when they can. */
export function viewObstacle(entries: readonly Entry[]): string {
  if (entries.length === 0) {
    return 'Select a row first.';
  }
  if (entries.length > 2) {
    return 'Select one row, or an image and its overlay.';
  }
  if (entries.length === 2 && !entries.every(entry => VOLUMES.has(entry.kind))) {
    return 'An overlay needs two volumes.';
  }
  return entries.every(entry => VIEWABLE.has(entry.kind)) ? '' : 'There is no viewer for this format.';
}

/** The distinct datasets of some rows: trash and rename of whole datasets act on these. */
export function datasetsOf(entries: readonly Entry[]): { id: string; title: string }[] {
  return [
    ...new Map(
      entries.map(entry => [entry.dataset_id, { id: entry.dataset_id, title: entry.dataset_title }])
    ).values()
  ];
}

/** Moves datasets to the trash and offers to take it back. */
export async function trash(core: Core, datasets: readonly { id: string; title: string }[]): Promise<void> {
  try {
    for (const { id } of datasets) {
      await core.api.trashDataset(id);
    }
    core.selection.set([]);
    const what = datasets.length === 1 ? `“${datasets[0]!.title}”` : count(datasets.length, 'dataset');
    Notification.info(`${what} is in the trash.`, {
      autoClose: 10_000,
      actions: [{ label: 'Undo', callback: () => void restore(core, datasets) }]
    });
  } catch (error) {
    core.report(error);
  }
}

export async function restore(core: Core, datasets: readonly { id: string; title: string }[]): Promise<void> {
  try {
    for (const { id } of datasets) {
      await core.api.restoreDataset(id);
      core.highlight(id);
    }
    Notification.success('Restored.', { autoClose: 3000 });
  } catch (error) {
    core.report(error);
  }
}
