/** Files that the panels put into the person's home. */
import type { Contents } from '@jupyterlab/services';

const TRIES = 100;

/** A path in the home that no file has yet: `name`, else with a number before its ending. */
export async function freePath(contents: Contents.IManager, name: string): Promise<string> {
  const taken = new Set(
    ((await contents.get('', { content: true })).content as Contents.IModel[]).map(item => item.name)
  );
  const [, stem, ending] = /^(.*?)(\.[^.]*)?$/.exec(name)!;
  for (let n = 1; n < TRIES; n++) {
    const path = n === 1 ? name : `${stem}-${n}${ending ?? ''}`;
    if (!taken.has(path)) {
      return path;
    }
  }
  return `${stem}-${crypto.randomUUID()}${ending ?? ''}`;
}
