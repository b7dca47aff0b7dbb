// The study that the planner hands over (`voxelhub-study/1`); units are in the names, fractions are of 1.

export interface Leakage {
  colocated4: number;
  colocated8: number;
  worst_pair: number;
  mean_pair: number;
  largest_share: number;
}

export interface Plan {
  /** Per slide and fragment the node's id; null for an empty fragment. */
  assignment: (string | null)[][];
  /** Untrusted nodes that are used. */
  nodes: number;
  cost_usd: number;
  makespan_s: number;
  /** Proven: no plan with as many nodes within this makespan is cheaper. */
  lower_bound_usd: number;
  gap: number;
  leakage: Leakage | null;
  largest_share: number;
}

export interface Relaxation {
  limit: string;
  value: number;
  proven: number;
}

export interface Front {
  format: string;
  limits: Record<string, unknown>;
  slides: string[];
  max_nodes: number;
  certified_hypervolume: number;
  infeasible_reason: string | null;
  relaxations: Relaxation[];
  plans: Plan[];
}

export interface Node {
  id: string;
  trust_domain: string;
  trusted: boolean;
  price_usd_per_hour: number;
  uplink_mbps: number | null;
  throughput_patches_per_s: number;
  setup_s: number;
  billing_s: number;
  gpu: string;
  location: string;
  minimum_charge_usd?: number;
}

export interface Slide {
  id: string;
  title: string;
  patches: number;
  /** Patches of each fragment. */
  fragments: number[];
  columns: number;
  rows: number;
  /** Column and row of the tissue patches, and the fragment of each. */
  cells: [number, number][];
  labels: number[];
  sampled: boolean;
  size: number;
  thumbnail: string | null;
  touching8: number[][];
}

export interface Limits {
  max_nodes?: number | null;
  budget_usd?: number | null;
  deadline_s?: number | null;
  max_share?: number | null;
  max_pair_leak?: number | null;
}

export interface Preset {
  id: string;
  title: string;
  limits: Limits;
}

export interface Peer {
  id: string;
  title: string;
  front: Front;
}

export interface Sight {
  slide: string;
  fragments: number[];
  patches: number;
  recall: number;
  precision: number;
  picture: string;
}

export interface Prices {
  date: string;
  currency: string;
  source: string;
  fictional: boolean;
  age_days: number;
  measured: string[];
}

export interface Study {
  format: 'voxelhub-study/1';
  made: { planner: string; seed: number; time_limit_s: number | null; own_node_per_fragment: boolean };
  prices: Prices;
  nodes: Node[];
  kb_per_patch: number;
  split: { strategy: string; classes: number; seed: number };
  slides: Slide[];
  front: Front;
  presets: Preset[];
  peers: Peer[];
  sights: Sight[];
  warnings: string[];
}

export type ExportKind = 'json' | 'csv' | 'png' | 'cell';

export interface Exported {
  kind: ExportKind;
  name: string;
  /** Text of `json`, `csv` and `cell` (Python source); a picture of `png`. */
  content: string | Blob;
}

export interface StudyOptions {
  /** Index into `study.front.plans`; without it, the plan that balances cost and time is chosen. */
  selected?: number | null;
  limits?: Limits;
  showPrices?: boolean;
  onSelect?: (plan: number) => void;
  onLimits?: (limits: Limits) => void;
  /** Takes what is exported; without it, files are downloaded and code goes to the clipboard. */
  onExport?: (exported: Exported) => void;
}

export interface StudyHandle {
  update(study: Study): void;
  select(plan: number): void;
  limit(limits: Limits): void;
  showPrices(shown: boolean): void;
  dispose(): void;
}
