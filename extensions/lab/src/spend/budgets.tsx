/** Budgets as bars with a sentence; an icon and words say what the colour says. */
import { ProgressBar } from '../shared/components';
import { moment } from '../shared/format';
import { Icon } from '../shared/icons';
import type { BudgetState } from '../shared/types';
import { budgetTitle, levelOf, type Level } from './words';

const BAR = { fine: 'active', warns: 'paused', reached: 'failed' } as const;
const SAID: Record<Level, string> = { fine: '', warns: '80 % is spent', reached: 'All is spent' };

function Budget({ budget, me }: { budget: BudgetState; me: string }): JSX.Element {
  const level = levelOf(budget);
  const title = budgetTitle(budget, me);
  return (
    <li className={`vx-Budget vx-mod-${level}`} data-testid="budget" data-level={level}>
      <div className="vx-Budget-head">
        <strong>{title}</strong>
        {SAID[level] && (
          <span className={`vx-Chip vx-mod-${level === 'reached' ? 'bad' : 'wait'}`}>
            <Icon name="warning" /> {SAID[level]}
          </span>
        )}
      </div>
      <ProgressBar
        value={budget.limit > 0 ? budget.spent / budget.limit : 1}
        label={`${title}: spent`}
        state={BAR[level]}
      />
      <small>
        {budget.sentence}
        {budget.ends_at && (
          <>
            <br />
            What runs is stopped at {moment(budget.ends_at).slice(11)}.
          </>
        )}
      </small>
    </li>
  );
}

export function Budgets({
  budgets,
  me = '',
  compact = false
}: {
  budgets: readonly BudgetState[];
  me?: string;
  /** Narrow, below a form: only those that want attention. */
  compact?: boolean;
}): JSX.Element | null {
  const shown = compact ? budgets.filter(budget => budget.warns || budget.reached) : budgets;
  if (shown.length === 0) {
    return null;
  }
  return (
    <ul className={`vx-Budgets${compact ? ' vx-mod-compact' : ''}`}>
      {shown.map(budget => (
        <Budget key={`${budget.scope}:${budget.name}:${budget.unit}`} budget={budget} me={me} />
      ))}
    </ul>
  );
}
