/** Typed client of the VoxelHub API, through the streaming proxy of the user's own server. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type * as wire from './types';

/** A refusal or failure with the service's own sentence and what would make it right. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly fix = '',
    /** What of the request it is about, as `arguments.sigma`. */
    readonly field = ''
  ) {
    super(detail);
  }
}

/** What this page should know about its own server (`<base>/voxelhub/server`). */
export interface ServerInfo {
  user: string;
  projects_mounted: string[];
  isolation: boolean;
  idle_since: string | null;
  cull_at: string | null;
  cull_warning: number;
  now: string;
}

export interface EntryQuery {
  q?: string;
  project?: string;
  data_type?: string;
  file_format?: string;
  execution?: string;
  dataset?: string;
  run?: string;
  batch?: string;
  sort?: string;
  offset?: number;
  limit?: number;
}

export interface AuditQuery {
  actor?: string;
  action?: string;
  resource?: string;
  outcome?: string;
  since?: string;
  until?: string;
  offset?: number;
  limit?: number;
}

export interface SpendQuery {
  scope: wire.SpendScope;
  project?: string;
  /** First and last day (UTC), both included: `2026-11-01`. */
  since: string;
  until: string;
}

type Parameters = Record<string, string | number | boolean | string[] | undefined>;

function query(parameters: Parameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== '') {
        search.append(name, String(item));
      }
    }
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

async function problemOf(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as Partial<wire.Problem> & { message?: string };
    const detail = body.detail ?? body.message ?? response.statusText;
    return new ApiError(response.status, body.code ?? 'error', detail, body.fix ?? '', body.field ?? '');
  } catch {
    return new ApiError(response.status, 'error', `The request failed with status ${response.status}.`);
  }
}

export class Api {
  private readonly settings = ServerConnection.makeSettings();
  private readonly base = URLExt.join(this.settings.baseUrl, 'voxelhub');
  readonly root = URLExt.join(this.base, 'api/v1');

  /** Headers for requests that cannot pass `makeRequest`, such as an upload's. */
  headers(): Record<string, string> {
    const headers: Record<string, string> = { 'X-XSRFToken': xsrfToken() };
    if (this.settings.token) {
      headers['Authorization'] = `token ${this.settings.token}`;
    }
    return headers;
  }

  /** Address of the event stream; `EventSource` sets no headers, so the proofs go into the address. */
  eventsUrl(): string {
    return `${this.root}/events${query({ _xsrf: xsrfToken(), token: this.settings.token })}`;
  }

  /** Address of a file or archive that the browser saves by itself, however large. */
  downloadUrl(path: string, more: Parameters = {}): string {
    return `${this.root}${path}${query({ ...more, _xsrf: xsrfToken(), token: this.settings.token })}`;
  }

  uploadUrl(upload: string, file: string): string {
    return `${this.root}/uploads/${upload}/files/${file}`;
  }

  /** The raw response of a content path below the API's root, for viewers and downloads. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return this.request(URLExt.join(this.root, path), init);
  }

  private async request(url: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new ApiError(
        0,
        'offline',
        'Your notebook server does not answer.',
        'It may be restarting: try again in a moment.'
      );
    }
    if (!response.ok) {
      throw await problemOf(response);
    }
    return response;
  }

  private async json<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>
  ): Promise<T> {
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { 'Content-Type': 'application/json', ...headers };
    }
    const response = await this.request(this.root + path, init);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async server(): Promise<ServerInfo> {
    return (await (await this.request(`${this.base}/server`, {})).json()) as ServerInfo;
  }

  async touchServer(): Promise<ServerInfo> {
    return (await (await this.request(`${this.base}/server`, { method: 'POST' })).json()) as ServerInfo;
  }

  /** What only the own server can do: it alone sees the folders of the home. */
  private async own<T>(path: string, body: unknown): Promise<T> {
    const headers = { 'Content-Type': 'application/json' };
    const init = { method: 'POST', body: JSON.stringify(body), headers };
    return (await (await this.request(`${this.base}/${path}`, init)).json()) as T;
  }

  newTool = (name: string, kind: string) => this.own<{ path: string }>('tools/new', { name, kind });
  checkTool = (path: string) => this.own<wire.ToolCheck>('tools/check', { path });
  submitTool = (path: string, note: string) =>
    this.own<wire.Submission>('tools/submit', { path, note, key: crypto.randomUUID() });

  me = () => this.json<wire.Me>('GET', '/me');
  vocabulary = () => this.json<wire.Vocabulary>('GET', '/vocabulary');

  auditMine = (q: AuditQuery) =>
    this.json<wire.Page<wire.AuditEvent>>('GET', `/audit/mine${query({ ...q })}`);
  auditEvents = (q: AuditQuery) =>
    this.json<wire.Page<wire.AuditEvent>>('GET', `/audit/events${query({ ...q })}`);
  auditState = () => this.json<wire.AuditState>('GET', '/audit/state');

  entries = (q: EntryQuery) => this.json<wire.Page<wire.Entry>>('GET', `/entries${query({ ...q })}`);
  entry = (id: string) => this.json<wire.Entry>('GET', `/entries/${id}`);
  patchEntry = (id: string, patch: wire.EntryPatch) =>
    this.json<wire.Entry>('PATCH', `/entries/${id}`, patch);
  entryFiles = (id: string, offset: number, limit: number) =>
    this.json<wire.Page<wire.DataFile>>('GET', `/entries/${id}/files${query({ offset, limit })}`);
  view = (id: string) => this.json<wire.View>('GET', `/entries/${id}/view`);

  datasets = (q: { project?: string; q?: string; trashed?: boolean; offset?: number; limit?: number }) =>
    this.json<wire.Page<wire.Dataset>>('GET', `/datasets${query(q)}`);
  dataset = (id: string) => this.json<wire.Dataset>('GET', `/datasets/${id}`);
  patchDataset = (id: string, patch: { title?: string; description?: string }) =>
    this.json<wire.Dataset>('PATCH', `/datasets/${id}`, patch);
  trashDataset = (id: string) => this.json<void>('DELETE', `/datasets/${id}`);
  restoreDataset = (id: string) => this.json<wire.Dataset>('POST', `/datasets/${id}/restore`, {});

  versionDiff = (id: string, version: number, limit: number) =>
    this.json<wire.VersionDiff>('GET', `/datasets/${id}/versions/${version}/diff${query({ limit })}`);
  storage = (project: string) => this.json<wire.Storage>('GET', `/projects/${project}/storage`);

  quarantine = (q: {
    project?: string;
    state?: wire.QuarantineState;
    run?: string;
    offset?: number;
    limit?: number;
  }) => this.json<wire.QuarantinePage>('GET', `/quarantine${query(q)}`);
  quarantinedName = async (id: string) =>
    (await this.json<{ name: string }>('POST', `/quarantine/${id}/name`, {})).name;
  decideQuarantined = (id: string, verb: 'release' | 'reject', reason: string) =>
    this.json<wire.Quarantined>('POST', `/quarantine/${id}/${verb}`, { reason });

  importUrl = (body: wire.UrlIn, key: string) =>
    this.json<wire.Run>('POST', '/imports/url', body, { 'Idempotency-Key': key });
  uploads = () => this.json<{ items: wire.Upload[] }>('GET', '/uploads');
  upload = (id: string) => this.json<wire.Upload>('GET', `/uploads/${id}`);
  createUpload = (body: wire.UploadIn, key: string) =>
    this.json<wire.Upload>('POST', '/uploads', body, { 'Idempotency-Key': key });
  fileDigest = (upload: string, file: string, sha256: string) =>
    this.json<void>('POST', `/uploads/${upload}/files/${file}/digest`, { sha256 });
  completeUpload = (id: string) => this.json<wire.Run>('POST', `/uploads/${id}/complete`, {});
  cancelUpload = (id: string) => this.json<void>('DELETE', `/uploads/${id}`);

  tools = (entries: string[]) =>
    this.json<{ items: wire.Tool[] }>('GET', `/tools${query({ entries: entries.join() })}`);
  tool = (name: string) => this.json<wire.Tool>('GET', `/tools/${name}`);
  /** Of a selection of any length. */
  matchTools = (entries: string[]) => this.json<{ items: wire.Tool[] }>('POST', '/tools/match', { entries });
  runs = (q: {
    kind?: string;
    batch?: string;
    tool?: string;
    project?: string;
    offset?: number;
    limit?: number;
  }) => this.json<wire.Page<wire.Run>>('GET', `/runs${query(q)}`);
  run = (id: string) => this.json<wire.Run>('GET', `/runs/${id}`);
  startRun = (body: wire.RunIn, key: string) =>
    this.json<wire.Run>('POST', '/runs', body, { 'Idempotency-Key': key });
  cancelRun = (id: string) => this.json<wire.Run>('POST', `/runs/${id}/cancel`, {});
  repeatRun = (id: string, key: string) =>
    this.json<wire.Run>('POST', `/runs/${id}/rerun`, {}, { 'Idempotency-Key': key });
  planBatch = (body: { tool: string; version?: string; entries: string[] }) =>
    this.json<wire.BatchPlan>('POST', '/batches/plan', body);
  batches = (q: { project?: string; offset?: number; limit?: number }) =>
    this.json<wire.Page<wire.Batch>>('GET', `/batches${query(q)}`);
  batch = (id: string, q: { state?: wire.RunState; offset?: number; limit?: number }) =>
    this.json<wire.BatchDetail>('GET', `/batches/${id}${query(q)}`);
  startBatch = (body: wire.BatchIn, key: string) =>
    this.json<wire.Batch>('POST', '/batches', body, { 'Idempotency-Key': key });
  cancelBatch = (id: string) => this.json<wire.Batch>('POST', `/batches/${id}/cancel`, {});
  retryBatch = (id: string, key: string) =>
    this.json<wire.Batch>('POST', `/batches/${id}/retry`, {}, { 'Idempotency-Key': key });
  runLog = (id: string, offset: number) =>
    this.json<wire.LogChunk>('GET', `/runs/${id}/log${query({ offset })}`);

  submissions = () => this.json<{ items: wire.Submission[] }>('GET', '/tools/submissions');
  submission = (id: string) => this.json<wire.SubmissionDetail>('GET', `/tools/submissions/${id}`);
  decideSubmission = (id: string, decision: Partial<wire.ToolDecision>) =>
    this.json<wire.Submission>('POST', `/tools/submissions/${id}/decision`, decision);
  withdrawSubmission = (id: string) =>
    this.json<wire.Submission>('POST', `/tools/submissions/${id}/withdraw`, {});

  lineage = (subject: { entry?: string; run?: string }, depth: number, limit: number) =>
    this.json<wire.Lineage>(
      'GET',
      `/${subject.run ? `runs/${subject.run}` : `entries/${subject.entry}`}/lineage${query({ depth, limit })}`
    );
  comparison = (run: string) => this.json<wire.Comparison>('GET', `/runs/${run}/comparison`);
  /** The notebook that does a run again, and what the service calls it. */
  runNotebook = async (run: string): Promise<{ name: string; content: unknown }> => {
    const response = await this.fetch(`runs/${run}/notebook`);
    const name = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get('Content-Disposition') ?? '')?.[1];
    return { name: decodeURIComponent(name ?? 'run.ipynb'), content: await response.json() };
  };

  clusterChoices = () => this.json<wire.ClusterChoices>('GET', '/clusters/choices');
  estimateCluster = (body: wire.ClusterIn) =>
    this.json<wire.ClusterEstimate>('POST', '/clusters/estimate', body);
  clusters = (q: { scope: wire.SpendScope; state?: wire.ClusterState; limit?: number }) =>
    this.json<wire.Page<wire.Cluster>>('GET', `/clusters${query(q)}`);
  createCluster = (body: wire.ClusterIn, key: string) =>
    this.json<wire.Cluster>('POST', '/clusters', body, { 'Idempotency-Key': key });
  patchCluster = (id: string, patch: wire.ClusterPatch) =>
    this.json<wire.Cluster>('PATCH', `/clusters/${id}`, patch);
  closeCluster = (id: string) => this.json<wire.Cluster>('DELETE', `/clusters/${id}`);
  clusterLogs = (id: string, name?: string) =>
    this.json<wire.ClusterLogs>('GET', `/clusters/${id}/logs${query({ name })}`);

  spend = (q: SpendQuery) => this.json<wire.SpendSummary>('GET', `/spend${query({ ...q })}`);
  spendEntries = (q: SpendQuery & { offset: number; limit: number }) =>
    this.json<wire.Page<wire.LedgerEntry>>('GET', `/spend/entries${query({ ...q })}`);
  estimate = (body: wire.EstimateIn) => this.json<wire.Estimate>('POST', '/spend/estimate', body);
  proposal = (tool: string) => this.json<wire.Proposal>('GET', `/spend/proposal${query({ tool })}`);

  accessToken = () => this.json<wire.AccessToken>('POST', '/tokens/access', {});
}

export function asProblem(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  console.error(error);
  return new ApiError(
    -1,
    'unexpected',
    'Something went wrong in this panel.',
    'Reload the page; your data is safe.'
  );
}

function xsrfToken(): string {
  return /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1] ?? '';
}
