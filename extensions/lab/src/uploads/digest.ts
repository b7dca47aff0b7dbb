/** SHA-256 of a file without holding it: 2 MiB at a time, so that the page stays responsive. */
import { createSHA256 } from 'hash-wasm';

const BLOCK = 2 * 1024 ** 2;

/** Lower-case hexadecimal; rejects with an AbortError when the signal fires. */
export async function sha256(file: Blob, signal: AbortSignal): Promise<string> {
  const hash = await createSHA256();
  for (let start = 0; start < file.size; start += BLOCK) {
    signal.throwIfAborted();
    hash.update(new Uint8Array(await file.slice(start, start + BLOCK).arrayBuffer()));
  }
  return hash.digest('hex');
}
