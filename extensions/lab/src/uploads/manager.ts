/** All transfers of this page, and what a closed page left at the service. */
import type { Api } from '../shared/api';
import type { Run, Upload, UploadIn, UrlIn } from '../shared/types';
import type { Events } from '../shared/events';
import { Store } from '../shared/store';
import type { Picked } from './collect';
import { UploadJob } from './job';
import { FollowedRun, stateOf, type Transfer, type TransferView } from './transfer';

const REFRESH = 150; // ms between two pictures of the progress
const ADOPTED = 50; // latest imports among which those still under way are looked for
const POLL = 4000; // ms between two looks at an import, in case a hint was missed

export class UploadManager {
  readonly jobs = new Store<readonly TransferView[]>([]);
  /** Open at the service, mine, and not being sent by this page. */
  readonly interrupted = new Store<readonly Upload[]>([]);
  private running: Transfer[] = [];
  private timer = 0;

  constructor(
    private readonly api: Api,
    private readonly events: Events,
    private readonly imported: (dataset: string) => void
  ) {}

  start(): void {
    this.events.on('run', hint => void this.look(hint.subject));
    this.events.on('upload', () => void this.refresh());
    window.setInterval(() => void this.look(''), POLL);
    window.addEventListener('beforeunload', event => {
      if (this.running.some(job => job.state === 'sending' || job.state === 'checking')) {
        event.preventDefault();
      }
    });
    void this.refresh();
  }

  begin(order: Omit<UploadIn, 'files'>, picked: readonly Picked[]): void {
    this.run(new UploadJob(this.api, order, picked, () => this.show()));
  }

  /** Continues an interrupted upload; returns how many of its files were found among the chosen ones. */
  resume(upload: Upload, picked: readonly Picked[]): number {
    const job = UploadJob.resumed(this.api, upload, picked, () => this.show());
    const found = job.view.files;
    if (found > 0) {
      this.run(job);
    }
    return found;
  }

  async beginUrl(order: UrlIn): Promise<void> {
    this.followRun(await this.api.importUrl(order, crypto.randomUUID()));
  }

  /** Shows an import that the service does alone. */
  followRun(run: Run): void {
    if (!this.running.some(job => job.run?.id === run.id)) {
      this.running = [new FollowedRun(this.api, run, () => this.show()), ...this.running];
      this.show();
    }
  }

  /** Imports of mine that are under way, begun by a page that is closed now. */
  async adopt(me: string): Promise<void> {
    try {
      const { items } = await this.api.runs({ kind: 'import', limit: ADOPTED });
      items
        .filter(run => run.owner === me && stateOf(run) === 'importing')
        .forEach(run => this.followRun(run));
    } catch {
      // They go on unwatched; the list of runs shows them too.
    }
  }

  job(key: string): Transfer | undefined {
    return this.running.find(job => job.key === key);
  }

  forget(key: string): void {
    this.running = this.running.filter(job => job.key !== key);
    this.show();
    void this.refresh();
  }

  async discard(upload: string): Promise<void> {
    await this.api.cancelUpload(upload);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      const { items } = await this.api.uploads();
      const mine = new Set(this.running.map(job => job.view.uploadId));
      this.interrupted.set(items.filter(upload => upload.state === 'open' && !mine.has(upload.id)));
    } catch {
      // Shown by the panel's own trouble notice; asked again at the next hint.
    }
  }

  private run(job: UploadJob): void {
    this.running = [job, ...this.running];
    this.show();
    void job.start().then(() => this.look(''));
    this.interrupted.update(items => items.filter(upload => upload.id !== job.uploadId));
  }

  private async look(subject: string): Promise<void> {
    const waiting = this.running.filter(job => job.state === 'importing' && job.run);
    for (const job of waiting.filter(job => subject === '' || job.run?.id === subject)) {
      try {
        const run = await this.api.run(job.run!.id);
        const ended = run.state === 'succeeded';
        const held = ended ? (await this.api.quarantine({ run: run.id, limit: 1 })).total : 0;
        job.follow(run, held);
        if (run.state === 'succeeded' && run.output_dataset_id) {
          this.imported(run.output_dataset_id);
        }
      } catch {
        // The next look asks again.
      }
    }
  }

  private show(): void {
    this.timer ||= window.setTimeout(() => {
      this.timer = 0;
      this.jobs.set(this.running.map(job => job.view));
    }, REFRESH);
  }
}
