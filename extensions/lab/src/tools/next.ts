/** "Run next": what a run or a batch made becomes the selection, so that the tools that fit it come first. */
import type { Core } from '../core';
import type { Batch, Entry, Run } from '../shared/types';

const PAGE = 500;
const MOST = 5000; // entries that the service takes at a time

async function made(core: Core, what: { run: string } | { batch: string }): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let total = 1; found.length < Math.min(total, MOST);) {
    const page = await core.api.entries({ ...what, sort: 'name', offset: found.length, limit: PAGE });
    total = page.total;
    found.push(...page.items);
    if (page.items.length === 0) {
      break;
    }
  }
  return found;
}

/** Selects what the run made. */
export async function selectResultsOf(core: Core, run: Run): Promise<void> {
  core.selection.set(await made(core, { run: run.id }));
}

/** Selects what the items of the batch made, without the joined table. */
export async function selectResultsOfBatch(core: Core, batch: Batch): Promise<void> {
  const entries = await made(core, { batch: batch.id });
  core.selection.set(entries.filter(entry => entry.dataset_id !== batch.table_dataset_id));
}
