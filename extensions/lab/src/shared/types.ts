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
export type ToolInput = Schemas['ToolInput'];
export type RunIn = Schemas['RunIn'];
export type Run = Schemas['RunOut'];
export type RunState = Run['state'];
export type Priority = NonNullable<Schemas['RunIn']['priority']>;
export type BatchPlan = Schemas['BatchPlanOut'];
type BatchBody = Schemas['BatchIn'];
export type BatchIn = Partial<BatchBody> & Pick<BatchBody, 'tool' | 'project' | 'title' | 'items'>;
export type Batch = Schemas['BatchOut'];
export type BatchItem = Schemas['BatchItemOut'];
export type BatchDetail = Schemas['BatchDetail'];
export type LogChunk = Schemas['LogChunk'];
export type Lineage = Schemas['LineageOut'];
export type LineageNode = Lineage['nodes'][number];
export type LineageEdge = Lineage['edges'][number];
export type Comparison = Schemas['ComparisonOut'];
export type ToolFinding = Schemas['ToolFinding'];
export type ToolCheck = Schemas['ToolCheckOut'];
export type Submission = Schemas['SubmissionOut'];
export type SubmissionDetail = Schemas['SubmissionDetail'];
export type ToolDecision = Schemas['ToolDecisionIn'];
export type AuditEvent = Schemas['AuditEventOut'];
export type AuditState = Schemas['AuditState'];
export type AccessToken = Schemas['AccessToken'];

export type BudgetState = Schemas['BudgetState'];
export type WorkerKind = Schemas['WorkerKind'];
export type ClusterChoices = Schemas['ClusterChoices'];
export type ClusterIn = Partial<Schemas['ClusterIn']> & Pick<Schemas['ClusterIn'], 'project'>;
export type ClusterPatch = Partial<Schemas['ClusterPatch']>;
export type Cluster = Schemas['ClusterOut'];
export type ClusterState = Cluster['state'];
export type ClusterWorker = Schemas['WorkerOut'];
export type ClusterEvent = Schemas['ClusterEventOut'];
export type ClusterLogs = Schemas['ClusterLogs'];
export type ClusterEstimate = Schemas['ClusterEstimate'];
export type SpendSummary = Required<Schemas['SpendSummary']>; // what has a default is sent too
export type SpendScope = SpendSummary['scope'];
export type SpendBar = Schemas['SpendBar'];
export type SpendDay = Schemas['SpendDay'];
export type SpendKind = SpendDay['kind'];
export type SpendBy = 'day' | 'kind' | 'profile' | 'tool' | 'project' | 'person';
export type LedgerEntry = Schemas['LedgerEntryOut'];
export type Estimate = Schemas['Estimate'];
type EstimateBody = Schemas['SpendEstimateIn'];
export type EstimateIn = Partial<EstimateBody> & Pick<EstimateBody, 'kind' | 'project'>;
export type Proposal = Schemas['Proposal'];

export interface Page<T> {
  total: number;
  items: T[];
}
