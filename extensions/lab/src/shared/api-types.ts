// What crosses the wire: mirrors service/voxelhub_service/api/schemas.py; replaced by `make types`.

export type RunState =
  | 'queued' | 'staging_in' | 'running' | 'staging_out' | 'succeeded' | 'failed' | 'cancelled';
export type EntryKind = 'series' | 'volume' | 'image' | 'table' | 'text' | 'file';

export interface Problem { status: number; code: string; detail: string; fix: string }
export interface Project {
  id: string; name: string; title: string; kind: 'shared' | 'personal'; open: boolean;
  role: 'member' | 'owner' | 'steward' | 'administrator';
  quota_bytes: number; used_bytes: number; reserved_bytes: number;
}
export interface Me { name: string; roles: string[]; admin: boolean; projects: Project[] }
export interface Term { id: string; title: string; formats: string[] }
export interface Vocabulary { data_types: Term[]; file_formats: Term[] }
export interface Entry {
  id: string; name: string; kind: EntryKind; data_type: string; file_format: string; project: string;
  dataset_id: string; dataset: string; dataset_title: string; version: number; path: string;
  n_files: number; size: number; execution: string; created_at: string; meta: Record<string, unknown>;
}
export interface Page<T> { total: number; items: T[] }
export interface EntryPatch { name?: string; data_type?: string; file_format?: string }
export interface DataFile { id: string; path: string; size: number; sha256: string }
export interface Version {
  number: number; digest: string; size: number; n_files: number; created_by: string; created_at: string;
  run_id: string; path: string;
}
export interface Dataset {
  id: string; project: string; name: string; title: string; description: string; created_by: string;
  created_at: string; trashed_at: string | null; purge_at: string | null; versions: Version[];
}
export interface UploadFileIn { path: string; size: number; sha256?: string }
export interface UploadIn {
  project: string; title: string; files: UploadFileIn[]; data_type?: string; file_format?: string;
  unpack?: boolean; source?: 'upload' | 'notebook';
}
export interface UploadFile { id: string; path: string; size: number; offset: number; present: boolean }
export interface Upload {
  id: string; project: string; title: string;
  state: 'open' | 'importing' | 'done' | 'failed' | 'cancelled' | 'expired';
  reason: string; run_id: string | null; created_at: string; expires_at: string; size: number;
  received: number; files: UploadFile[];
}
export interface View {
  kind: 'volume' | 'image' | 'table' | 'text' | 'none'; name: string; content_path: string; reason: string;
}
export interface TypeFormat { data_type: string; file_format: string }
export interface ToolInput {
  name: string; title: string; description: string; accepts: TypeFormat[]; minimum: number; maximum: number;
}
export interface Tool {
  name: string; version: string; title: string; description: string; keywords: string[]; digest: string;
  inputs: ToolInput[]; arguments: Record<string, unknown>;
  outputs: { name: string; title: string; data_type: string; file_format: string }[];
  resources: { cpu: number; memory: number; time: number; gpu: number };
  eligible: boolean; reason: string; assignment: Record<string, string[]>;
}
export interface RunIn {
  tool: string; version?: string; project: string; inputs: Record<string, string[]>;
  arguments: Record<string, unknown>; output_title?: string;
}
export interface Run {
  id: string; number: number; label: string; project: string; owner: string; kind: 'import' | 'tool';
  title: string; state: RunState; reason: string; progress: number; progress_text: string;
  tool: string | null; tool_version: string | null; inputs: Record<string, unknown>;
  arguments: Record<string, unknown>; output_dataset_id: string | null; output_version: number | null;
  exit_code: number | null; created_at: string; started_at: string | null; ended_at: string | null;
  cancellable: boolean;
}
export interface LogChunk { offset: number; text: string; end: boolean }
export interface AccessToken { access_token: string; token_type: 'Bearer'; expires_at: string }
