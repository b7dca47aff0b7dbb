/** Which chosen file is which of an upload's. */
import type { Upload, UploadFile } from '../shared/types';
import { inOrder, type Picked } from './collect';

/** The service keeps no names of files for a clinical project: numbers stand in for them, in the order of the announcement. */
export function isNumbered(upload: Upload): boolean {
  return upload.files.length > 0 && upload.files.every(({ path }) => /^\d{6,}$/.test(path));
}

/**
 * By path and size; where numbers stand in for names by place, and then only if all files are there: the service
 * compares digests, so that a wrong guess fails and never mixes files up.
 */
export function pair(upload: Upload, picked: readonly Picked[]): Map<Picked, UploadFile> {
  const byPath = new Map(upload.files.map(file => [file.path, file]));
  const named = picked.flatMap(one => {
    const file = byPath.get(one.path);
    return file && file.size === one.file.size ? [[one, file] as const] : [];
  });
  if (named.length > 0 || !isNumbered(upload)) {
    return new Map(named);
  }
  const files = [...upload.files].sort((a, b) => Number(a.path) - Number(b.path));
  const ordered = inOrder(picked);
  const same =
    files.length === ordered.length && files.every((file, i) => file.size === ordered[i]!.file.size);
  return new Map(same ? ordered.map((one, i) => [one, files[i]!]) : []);
}
