/** Says once in Lab that a budget is at 80 %, and again when it is reached; the panels keep saying it. */
import { Notification } from '@jupyterlab/apputils';

import type { Core } from '../core';
import type { BudgetState } from '../shared/types';
import { CommandIds } from '../tokens';
import { budgetTitle, levelOf, thisMonth } from './words';

const LOOK = 10 * 60_000; // ms, beside the hints
const CALM = 1000; // ms
const SAID = 'voxelhub:budgets-said';

function said(): string[] {
  try {
    return JSON.parse(localStorage.getItem(SAID) ?? '[]') as string[];
  } catch {
    return [];
  }
}

/** True the first time that it is asked of a budget, its level and month. */
function isNews(budget: BudgetState): boolean {
  const key = [thisMonth(), budget.scope, budget.name, budget.unit, levelOf(budget)].join(':');
  const before = said().filter(one => one.startsWith(thisMonth()));
  if (before.includes(key)) {
    return false;
  }
  localStorage.setItem(SAID, JSON.stringify([...before, key]));
  return true;
}

export function watchBudgets(core: Core): void {
  let timer = 0;
  const say = (budget: BudgetState): void => {
    const text = `${budgetTitle(budget, core.me.get()?.name ?? '')}: ${budget.sentence}`;
    const show = { label: 'Open Spend', callback: () => core.execute(CommandIds.openSpend) };
    const tell = budget.reached ? Notification.error : Notification.warning;
    tell(text, { autoClose: false, actions: [show] });
  };
  const look = async (): Promise<void> => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void look(), LOOK);
    const today = new Date().toISOString().slice(0, 10);
    try {
      const spend = await core.api.spend({ scope: 'mine', since: `${thisMonth()}-01`, until: today });
      const loud = spend.budgets.filter(budget => budget.warns || budget.reached);
      core.budgets.set(loud);
      loud.filter(isNews).forEach(say);
    } catch {
      // The Spend page says what is wrong; the next look comes by itself.
    }
  };
  core.events.on('spend', () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void look(), CALM);
  });
  void look();
}
