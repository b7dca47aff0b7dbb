/** One upload: from chosen files to a registered dataset. */
import { asProblem, type Api, type ApiError } from '../shared/api';
import type { Run, Upload, UploadFile, UploadIn } from '../shared/types';
import { hasArchive, type Picked } from './collect';
import { sha256 } from './digest';
import { send } from './send';
import { stateOf, type Transfer, type TransferState, type TransferView } from './transfer';

const PARALLEL = 3;
// All digests are known before anything is sent, so that what the project already holds is not sent; only few large
// files are read while they are sent.
const HASH_FIRST_SIZE = 512 * 1024 ** 2; // bytes
const HASH_FIRST_FILES = 100;

/** Which chosen file is which of the upload's: by path and size. */
function pair(upload: Upload, picked: readonly Picked[]): Map<Picked, UploadFile> {
  const byPath = new Map(upload.files.map(file => [file.path, file]));
  return new Map(
    picked.flatMap(one => {
      const file = byPath.get(one.path);
      return file && file.size === one.file.size ? [[one, file] as const] : [];
    })
  );
}

export class UploadJob implements Transfer {
  readonly key = crypto.randomUUID();
  state: TransferState = 'checking';
  uploadId: string | null = null;
  run: Run | null = null;
  private held = 0;
  private resumed = false;
  private problem: ApiError | null = null;
  private readonly sent = new Map<string, number>();
  private read = 0;
  private readonly done = new Set<string>();
  private readonly digests = new Map<string, string>();
  private waiting = false;
  private stop = new AbortController();
  private samples: { at: number; sent: number }[] = [];

  constructor(
    private readonly api: Api,
    private readonly order: Omit<UploadIn, 'files'>,
    private readonly picked: readonly Picked[],
    private readonly changed: () => void
  ) {}

  /** An upload that is open at the service, with files that match its list. */
  static resumed(api: Api, upload: Upload, picked: readonly Picked[], changed: () => void): UploadJob {
    const matching = [...pair(upload, picked).keys()];
    const job = new UploadJob(api, { project: upload.project, title: upload.title }, matching, changed);
    job.uploadId = upload.id;
    job.resumed = true;
    return job;
  }

  get view(): TransferView {
    const size = this.picked.reduce((sum, { file }) => sum + file.size, 0);
    const sent = [...this.sent.values()].reduce((sum, n) => sum + n, 0);
    return {
      key: this.key,
      title: this.order.title,
      project: this.order.project,
      state: this.state,
      files: this.picked.length,
      filesDone: this.done.size,
      counted: !this.resumed && !(this.order.unpack && hasArchive(this.picked)),
      size,
      sent,
      read: this.read,
      speed: this.speed(sent),
      waiting: this.waiting,
      problem: this.problem,
      uploadId: this.uploadId,
      run: this.run,
      held: this.held
    };
  }

  /** Runs to the end of the import's registration, a failure, a pause or a cancel; may be called again after a pause. */
  async start(): Promise<void> {
    this.stop = new AbortController();
    this.problem = null;
    this.samples = [];
    try {
      const upload = await this.open();
      this.move('sending');
      await this.sendAll(upload);
      this.run = await this.api.completeUpload(upload.id);
      this.move('importing');
    } catch (error) {
      if (!this.stop.signal.aborted) {
        this.stop.abort();
        this.problem = asProblem(error);
        this.move('failed');
      }
    }
    this.changed();
  }

  pause(): void {
    this.stop.abort();
    this.move('paused');
  }

  /** While the service imports, its run is cancelled; before, the upload. */
  async cancel(): Promise<void> {
    if (this.state === 'importing' && this.run) {
      this.follow(await this.api.cancelRun(this.run.id), 0);
      return;
    }
    this.stop.abort();
    this.move('cancelled');
    if (this.uploadId) {
      await this.api.cancelUpload(this.uploadId);
    }
  }

  follow(run: Run, held: number): void {
    this.run = run;
    this.held = held;
    const state = stateOf(run);
    if (state === 'importing') {
      this.changed();
    } else {
      this.move(state);
    }
  }

  private move(state: TransferState): void {
    this.state = state;
    this.waiting = false;
    this.changed();
  }

  private async open(): Promise<Upload> {
    if (this.uploadId) {
      return this.api.upload(this.uploadId);
    }
    const total = this.picked.reduce((sum, { file }) => sum + file.size, 0);
    if (total <= HASH_FIRST_SIZE || this.picked.length > HASH_FIRST_FILES) {
      this.move('checking');
      for (const { path, file } of this.picked) {
        this.digests.set(path, await sha256(file, this.stop.signal));
        this.read += file.size;
        this.changed();
      }
    }
    const files = this.picked.map(({ path, file }) => ({
      path,
      size: file.size,
      sha256: this.digests.get(path)
    }));
    const upload = await this.api.createUpload({ ...this.order, files }, this.key);
    this.uploadId = upload.id;
    return upload;
  }

  private async sendAll(upload: Upload): Promise<void> {
    const queue = [...pair(upload, this.picked)];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        await this.sendOne(upload.id, ...next);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  private async sendOne(upload: string, { path, file }: Picked, known: UploadFile): Promise<void> {
    const { signal } = this.stop;
    signal.throwIfAborted();
    if (!known.present) {
      const announced = this.digests.has(path);
      const digest = announced ? null : sha256(file, signal);
      digest?.catch(() => undefined); // awaited below; until then a stop must not count as unhandled
      const url = this.api.uploadUrl(upload, known.id);
      if (file.size > known.offset) {
        const progress = (sent: number): void => this.progress(path, sent);
        await send(
          file,
          url,
          () => this.api.headers(),
          progress,
          waiting => this.wait(waiting),
          signal
        );
      }
      if (digest) {
        await this.api.fileDigest(upload, known.id, await digest);
      }
    }
    this.done.add(path);
    this.progress(path, file.size);
  }

  private progress(path: string, sent: number): void {
    this.sent.set(path, sent);
    this.changed();
  }

  private wait(waiting: boolean): void {
    if (waiting !== this.waiting) {
      this.waiting = waiting;
      this.changed();
    }
  }

  private speed(sent: number): number {
    const now = performance.now();
    this.samples = [...this.samples.filter(({ at }) => now - at < 4000), { at: now, sent }];
    const first = this.samples[0]!;
    return now - first.at < 200 ? 0 : ((sent - first.sent) / (now - first.at)) * 1000;
  }
}
