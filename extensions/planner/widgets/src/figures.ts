// The figures of a front as columns of numbers, and which plans keep to limits: fast enough for every move of a slider.
import type { Front, Limits } from './types';

export type LimitKey = keyof Limits;
type Column = 'nodes' | 'cost' | 'time' | 'share' | 'leak';

/** One limit: which figure it bounds. Order is that of the sliders. */
export const COLUMN: Record<LimitKey, Column> = {
  max_nodes: 'nodes',
  budget_usd: 'cost',
  deadline_s: 'time',
  max_share: 'share',
  max_pair_leak: 'leak'
};
export const LIMIT_KEYS = Object.keys(COLUMN) as LimitKey[];

export interface Figures extends Record<Column, Float64Array> {
  count: number;
  bound: Float64Array;
  /** Whether every plan says what parties see together. */
  leaks: boolean;
  /** Plans from the fastest to the slowest. */
  byTime: Uint32Array;
}

export function figuresOf(front: Front): Figures {
  const { plans } = front;
  const column = (of: (plan: Front['plans'][number]) => number): Float64Array => Float64Array.from(plans, of);
  const [time, cost] = [column(plan => plan.makespan_s), column(plan => plan.cost_usd)];
  return {
    count: plans.length,
    nodes: column(plan => plan.nodes),
    cost,
    time,
    share: column(plan => plan.largest_share),
    leak: column(plan => plan.leakage?.worst_pair ?? 1),
    bound: column(plan => Math.min(plan.lower_bound_usd, plan.cost_usd)),
    leaks: plans.length > 0 && plans.every(plan => plan.leakage !== null),
    byTime: Uint32Array.from(plans.keys()).sort((a, b) => time[a]! - time[b]! || cost[a]! - cost[b]!)
  };
}

/** Writes 1 into `mask` for each plan that keeps to all limits, else 0; says how many keep to them. */
export function keep(figures: Figures, limits: Limits, mask: Uint8Array): number {
  mask.fill(1);
  for (const key of LIMIT_KEYS) {
    const most = limits[key];
    if (most === null || most === undefined) continue;
    const values = figures[COLUMN[key]];
    for (let plan = 0; plan < mask.length; plan++) if (values[plan]! > most) mask[plan] = 0;
  }
  let kept = 0;
  for (let plan = 0; plan < mask.length; plan++) kept += mask[plan]!;
  return kept;
}

export interface Loosened {
  key: LimitKey;
  value: number;
}

/** Limits that would leave a plan if each alone were loosened to the value; empty where no single one would do. */
export function loosened(figures: Figures, limits: Limits): Loosened[] {
  const mask = new Uint8Array(figures.count);
  return LIMIT_KEYS.flatMap(key => {
    const most = limits[key];
    if (most === null || most === undefined || !keep(figures, { ...limits, [key]: null }, mask)) return [];
    const values = figures[COLUMN[key]];
    let least = Infinity;
    for (let plan = 0; plan < mask.length; plan++) if (mask[plan]) least = Math.min(least, values[plan]!);
    return [{ key, value: least }];
  });
}

/** What must be loosened together for the plan that breaks the limits least, measured by the worst factor. */
export function loosenedTogether(figures: Figures, limits: Limits): Loosened[] {
  const set = LIMIT_KEYS.filter(key => limits[key] !== null && limits[key] !== undefined);
  const excess = (plan: number, key: LimitKey): number =>
    figures[COLUMN[key]][plan]! / Math.max(limits[key]!, 1e-9);
  let [best, least] = [-1, Infinity];
  for (let plan = 0; plan < figures.count; plan++) {
    const worst = Math.max(...set.map(key => excess(plan, key)));
    if (worst < least) [best, least] = [plan, worst];
  }
  if (best < 0) return [];
  return set.filter(key => excess(best, key) > 1).map(key => ({ key, value: figures[COLUMN[key]][best]! }));
}

/** The plan nearest to the best of both cost and time, each scaled to the range of the plans that are kept; −1 without any. */
export function balanced(figures: Figures, mask: Uint8Array): number {
  const span = (values: Float64Array): [number, number] => {
    let [low, high] = [Infinity, -Infinity];
    for (let plan = 0; plan < mask.length; plan++) {
      if (!mask[plan]) continue;
      low = Math.min(low, values[plan]!);
      high = Math.max(high, values[plan]!);
    }
    return [low, Math.max(high - low, 1e-12)];
  };
  const [[cheap, costs], [fast, times]] = [span(figures.cost), span(figures.time)];
  let [best, least] = [-1, Infinity];
  for (let plan = 0; plan < mask.length; plan++) {
    if (!mask[plan]) continue;
    const distance = Math.hypot((figures.cost[plan]! - cheap) / costs, (figures.time[plan]! - fast) / times);
    if (distance < least) [best, least] = [plan, distance];
  }
  return best;
}
