/** Files of a drop or a chooser, each with its path below the dropped folder. */
import { naturalCompare } from '../shared/format';

export interface Picked {
  file: File;
  /** Relative, `/` between folders. */
  path: string;
}

const IGNORED = new Set(['.DS_Store', 'Thumbs.db', 'desktop.ini']);

export function fromChooser(files: FileList | null): Picked[] {
  return keep([...(files ?? [])].map(file => ({ file, path: file.webkitRelativePath || file.name })));
}

/** Walks dropped folders to their end; must be called in the drop's own event, entries vanish after it. */
export async function fromDrop(data: DataTransfer): Promise<Picked[]> {
  const entries = [...data.items]
    .filter(item => item.kind === 'file')
    .map(item => item.webkitGetAsEntry())
    .filter((entry): entry is FileSystemEntry => entry !== null);
  if (entries.length === 0) {
    return fromChooser(data.files);
  }
  const found: Picked[] = [];
  for (const entry of entries) {
    await walk(entry, '', found);
  }
  return keep(found);
}

async function walk(entry: FileSystemEntry, folder: string, found: Picked[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
    found.push({ file, path: folder + entry.name });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives at most 100 entries at a time, and an empty list at its end.
    const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
    if (some.length === 0) {
      return;
    }
    for (const child of some) {
      await walk(child, `${folder}${entry.name}/`, found);
    }
  }
}

/** Without what file managers leave behind; in the order of the paths, in which an import counts its files. */
function keep(files: Picked[]): Picked[] {
  return files
    .filter(({ path }) => !IGNORED.has(path.split('/').pop() ?? '') && !path.startsWith('__MACOSX/'))
    .sort((a, b) => naturalCompare(a.path, b.path));
}

export function hasArchive(files: readonly Picked[]): boolean {
  return files.some(({ path }) => /\.(zip|tar|tgz|tar\.(gz|zst))$/i.test(path));
}

/** A title to propose: the common top folder, or the first file's name without its extensions. */
export function proposeTitle(files: readonly Picked[]): string {
  const first = files[0]?.path ?? '';
  const top = first.split('/')[0] ?? '';
  if (first.includes('/') && files.every(({ path }) => path.startsWith(`${top}/`))) {
    return top;
  }
  const stem = (first.split('/').pop() ?? '').replace(/\.(nii\.gz|tar\.gz|[a-z0-9]{1,5})$/i, '');
  return files.length > 1 ? `${stem} and ${files.length - 1} more` : stem;
}
