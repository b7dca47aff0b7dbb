/** One file over the tus protocol, to an address that our API has made. */
import { Upload } from 'tus-js-client';

import { ApiError } from '../shared/api';

const CHUNK = 32 * 1024 ** 2;
// A restart of the service or of the notebook server takes up to half a minute: keep trying for over an hour.
const RETRY_DELAYS = [0, 500, 1000, 2000, 4000, 8000, 15_000, 30_000, ...Array<number>(120).fill(30_000)];
const FINAL = new Set([401, 403, 404, 410, 413, 507]);

/**
 * Sends from the offset the service reports. `endpoint` is never given: with it, the library would start again at
 * byte 0 after any refusal.
 */
export function send(
  file: File,
  url: string,
  headers: () => Record<string, string>,
  onSent: (bytes: number) => void,
  onWaiting: (waiting: boolean) => void,
  signal: AbortSignal
): Promise<void> {
  return new Promise((done, fail) => {
    const upload = new Upload(file, {
      uploadUrl: url,
      chunkSize: CHUNK,
      retryDelays: RETRY_DELAYS,
      storeFingerprintForResuming: false,
      removeFingerprintOnSuccess: false,
      onBeforeRequest: request =>
        Object.entries(headers()).forEach(([name, value]) => request.setHeader(name, value)),
      onProgress: sent => {
        onWaiting(false);
        onSent(sent);
      },
      onShouldRetry: error => {
        const status = error.originalResponse?.getStatus() ?? 0;
        onWaiting(!FINAL.has(status));
        return !FINAL.has(status);
      },
      onSuccess: () => done(),
      onError: error => fail(problemOf(error))
    });
    signal.addEventListener('abort', () => {
      void upload.abort();
      fail(new DOMException('stopped', 'AbortError'));
    });
    upload.start();
  });
}

function problemOf(error: unknown): ApiError {
  const response = (error as { originalResponse?: { getStatus(): number; getBody(): string } | null })
    .originalResponse;
  try {
    const body = JSON.parse(response?.getBody() ?? '') as { code?: string; detail?: string; fix?: string };
    if (body.detail) {
      return new ApiError(response?.getStatus() ?? 0, body.code ?? 'error', body.detail, body.fix ?? '');
    }
  } catch {
    // No problem document: the sentence below.
  }
  return new ApiError(
    response?.getStatus() ?? 0,
    'upload_interrupted',
    'The upload was interrupted.',
    'Choose the same files again to continue where it stopped.'
  );
}
