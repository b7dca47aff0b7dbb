/** What panels say of money: budgets that want attention, and what a run is going to cost. */
import type { Core } from '../core';
import { Button, Notice } from '../shared/components';
import { asSentence } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import type { Tool } from '../shared/types';
import { CommandIds } from '../tokens';
import { budgetTitle } from './words';

/** Of my budgets and those of my projects, while 80 % or more is spent. */
export function BudgetBanner({ core }: { core: Core }): JSX.Element {
  const budgets = useStore(core.budgets);
  const me = useStore(core.me);
  return (
    <>
      {budgets.map(budget => (
        <Notice
          key={`${budget.scope}:${budget.name}:${budget.unit}`}
          kind={budget.reached ? 'error' : 'warning'}
          action={
            <Button label="Open Spend" kind="quiet" onClick={() => core.execute(CommandIds.openSpend)} />
          }
        >
          <strong>{budgetTitle(budget, me?.name ?? '')}:</strong> {budget.sentence}
        </Notice>
      ))}
    </>
  );
}

/** Before the button that starts runs: their price, what is left, and the size that fitted before. */
export function RunEstimate({
  core,
  tool,
  project,
  runs
}: {
  core: Core;
  tool: Tool;
  project: string;
  runs: number;
}): JSX.Element | null {
  const found = useLoaded(async () => {
    const [estimate, proposal] = await Promise.all([
      core.api.estimate({
        kind: 'run',
        project,
        tool: tool.name,
        version: tool.version,
        runs: Math.max(1, runs)
      }),
      core.api.proposal(tool.name)
    ]);
    return { estimate, proposal };
  }, [tool.name, tool.version, project, runs]);
  if (!found.value) {
    return null; // a run may start without its price being known
  }
  const { estimate, proposal } = found.value;
  return (
    <div className="vx-Estimate" data-testid="run-estimate">
      {estimate.refused ? (
        <Notice kind="error">{estimate.refused}</Notice>
      ) : (
        estimate.sentence && (
          <p className="vx-Cluster-costs">
            <Icon name="spend" /> {asSentence(estimate.sentence)}
          </p>
        )
      )}
      {proposal.runs > 0 && <small className="vx-Muted">{proposal.sentence}</small>}
    </div>
  );
}
