/** Content with progress. */

/** The whole body; `total` is 0 when the length is not told. */
export async function readAll(
  response: Response,
  onProgress: (received: number, total: number) => void
): Promise<ArrayBuffer> {
  const total = Number(response.headers.get('Content-Length') ?? 0);
  const reader = response.body?.getReader();
  if (!reader) {
    return response.arrayBuffer();
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    parts.push(step.value);
    received += step.value.length;
    onProgress(received, total);
  }
  return new Blob(parts).arrayBuffer();
}
