/** Short names for what crosses the wire; the shapes are generated from the service (`make types`). */
import type { components } from './api-types';

type Schemas = components['schemas'];

export type Problem = Schemas['ProblemOut'];
export type Hint = Schemas['EventOut'];
export type Me = Schemas['Me'];
export type Project = Schemas['ProjectOut'];
export type Vocabulary = Schemas['Vocabulary'];
export type Entry = Schemas['EntryOut'];
export type EntryPatch = Schemas['EntryPatch'];
export type DataFile = Schemas['FileOut'];
export type Dataset = Schemas['DatasetOut'];
export type DatasetPatch = Schemas['DatasetPatch'];
type UploadBody = Schemas['UploadIn'];
export type UploadIn = Partial<UploadBody> & Pick<UploadBody, 'project' | 'title' | 'files'>;
export type Upload = Schemas['UploadOut'];
export type UploadFile = Schemas['UploadFileOut'];
export type VersionMode = NonNullable<UploadBody['mode']>;
export type UrlIn = Partial<Schemas['UrlIn']> & Pick<Schemas['UrlIn'], 'project' | 'title' | 'url'>;
export type Quarantined = Schemas['QuarantineOut'];
export type QuarantineState = Quarantined['state'];
export type QuarantinePage = Schemas['QuarantinePage'];
export type VersionDiff = Schemas['VersionDiff'];
export type ChangedFile = Schemas['ChangedFile'];
export type Storage = Schemas['StorageOut'];
export type View = Schemas['ViewOut'];
export type Tool = Schemas['ToolOut'];
export type RunIn = Schemas['RunIn'];
export type Run = Schemas['RunOut'];
export type RunState = Run['state'];
export type LogChunk = Schemas['LogChunk'];
export type AccessToken = Schemas['AccessToken'];

export interface Page<T> {
  total: number;
  items: T[];
}
