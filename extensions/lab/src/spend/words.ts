/** How spend is said: kinds, dimensions, amounts and months. */
import { hours, money } from '../shared/format';
import type { IconName } from '../shared/icons';
import type { BudgetState, SpendBy, SpendKind } from '../shared/types';

/** What a chart or a list counts. */
export type Measure = 'cost' | 'cpu_hours' | 'gpu_hours';

export const KINDS: Record<SpendKind, { title: string; icon: IconName }> = {
  server: { title: 'Notebook servers', icon: 'notebook' },
  cluster: { title: 'Clusters', icon: 'clusters' },
  run: { title: 'Tool runs', icon: 'tools' }
};
export const KIND_ORDER: readonly SpendKind[] = ['server', 'cluster', 'run'];

export const DIMENSIONS: readonly { id: SpendBy; title: string }[] = [
  { id: 'kind', title: 'By what it was' },
  { id: 'profile', title: 'By size' },
  { id: 'tool', title: 'By tool' },
  { id: 'project', title: 'By project' },
  { id: 'person', title: 'By person' }
];

export const MEASURES: Record<Measure, string> = {
  cost: 'Money',
  cpu_hours: 'CPU hours',
  gpu_hours: 'GPU hours'
};

export interface Amounts {
  cost: number | null;
  cpu_hours: number;
  gpu_hours: number;
}

export function valueOf(amounts: Amounts, measure: Measure): number {
  return amounts[measure] ?? 0;
}

export function amountText(value: number, measure: Measure, currency: string | null): string {
  return measure === 'cost'
    ? money(value, currency)
    : `${hours(value)} ${measure === 'cpu_hours' ? 'CPU' : 'GPU'} h`;
}

export type Level = 'fine' | 'warns' | 'reached';

export function levelOf(budget: BudgetState): Level {
  return budget.reached ? 'reached' : budget.warns ? 'warns' : 'fine';
}

export function budgetTitle(budget: BudgetState, me: string): string {
  const whose =
    budget.scope === 'project'
      ? `Project ${budget.name}`
      : budget.name === me
        ? 'Your budget'
        : `Budget of ${budget.name}`;
  return budget.unit === 'money' ? whose : `${whose}: ${MEASURES[budget.unit]}`;
}

/** `2026-11` of now, in UTC: the ledger's days are. */
export function thisMonth(): string {
  return new Date().toISOString().slice(0, 7);
}

export function shifted(month: string, by: number): string {
  const [year, number] = month.split('-').map(Number) as [number, number];
  return new Date(Date.UTC(year, number - 1 + by, 1)).toISOString().slice(0, 7);
}

export function daysOf(month: string): string[] {
  const [year, number] = month.split('-').map(Number) as [number, number];
  const last = new Date(Date.UTC(year, number, 0)).getUTCDate();
  return Array.from({ length: last }, (_, n) => `${month}-${String(n + 1).padStart(2, '0')}`);
}

export function monthTitle(month: string): string {
  return new Date(`${month}-01T00:00:00Z`).toLocaleDateString('en-GB', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC'
  });
}
