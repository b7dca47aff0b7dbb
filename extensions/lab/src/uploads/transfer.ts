/** What the list of transfers shows, whether this page sends the bytes or the service fetches them. */
import type { Api, ApiError } from '../shared/api';
import type { Run } from '../shared/types';

export type TransferState =
  | 'checking' // digests before anything is sent
  | 'sending'
  | 'paused'
  | 'importing'
  | 'done'
  | 'failed'
  | 'cancelled';

/** What the panel shows of a transfer; a new object at each change. */
export interface TransferView {
  key: string;
  title: string;
  project: string;
  state: TransferState;
  /** Files and bytes that this page sends; 0 where the service works alone. An archive counts as one file. */
  files: number;
  filesDone: number;
  /** `files` is what the import looks at: no archive is unpacked, and this page knows them all. */
  counted: boolean;
  size: number;
  sent: number;
  /** Bytes whose digest is known, while checking. */
  read: number;
  /** Bytes per second over the last seconds. */
  speed: number;
  waiting: boolean;
  problem: ApiError | null;
  uploadId: string | null;
  run: Run | null;
  /** Files that the import holds in quarantine, once it has ended. */
  held: number;
}

export interface Transfer {
  readonly key: string;
  readonly state: TransferState;
  readonly run: Run | null;
  readonly view: TransferView;
  /** The import as the service now tells it. */
  follow(run: Run, held: number): void;
  cancel(): Promise<void>;
}

/** How a run's state reads in the list. */
export function stateOf(run: Run): TransferState {
  switch (run.state) {
    case 'succeeded':
      return 'done';
    case 'failed':
    case 'cancelled':
      return run.state;
    case 'queued':
    case 'staging_in':
    case 'running':
    case 'staging_out':
      return 'importing';
  }
}

/** An import that the service does alone: from a URL, of a released file, or begun by a page that was closed since. */
export class FollowedRun implements Transfer {
  private held = 0;

  constructor(
    private readonly api: Api,
    public run: Run,
    private readonly changed: () => void
  ) {}

  get key(): string {
    return this.run.id;
  }

  get state(): TransferState {
    return stateOf(this.run);
  }

  get view(): TransferView {
    return {
      key: this.key,
      title: this.run.title.replace(/^Import /, ''),
      project: this.run.project,
      state: this.state,
      files: 0,
      filesDone: 0,
      counted: false,
      size: 0,
      sent: 0,
      read: 0,
      speed: 0,
      waiting: false,
      problem: null,
      uploadId: null,
      run: this.run,
      held: this.held
    };
  }

  follow(run: Run, held: number): void {
    this.run = run;
    this.held = held;
    this.changed();
  }

  async cancel(): Promise<void> {
    this.follow(await this.api.cancelRun(this.run.id), 0);
  }
}
