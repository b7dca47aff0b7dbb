/** What "Run on each" will do, said before it begins: how many runs, what is left out, how much it may take. */
import type { Core } from '../core';
import { Notice, ProblemNotice } from '../shared/components';
import { bytes, count, duration } from '../shared/format';
import type { Loaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import type { BatchPlan, Entry, Project, Tool } from '../shared/types';

const NAMED = 4; // rows that are called by name

function room(project: Project | undefined): number {
  return project ? Math.max(0, project.quota_bytes - project.used_bytes - project.reserved_bytes) : Infinity;
}

function named(names: readonly string[]): string {
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more.toLocaleString('en-GB')} more` : '');
}

/** Whether the quota would refuse it. */
export function tooLarge(core: Core, plan: BatchPlan, project: string): boolean {
  return plan.output > room(core.me.get()?.projects.find(({ name }) => name === project));
}

export function EachPlan({
  core,
  tool,
  plan,
  selection,
  project
}: {
  core: Core;
  tool: Tool;
  plan: Loaded<BatchPlan | null>;
  selection: readonly Entry[];
  project: string;
}): JSX.Element {
  const target = useStore(core.me)?.projects.find(({ name }) => name === project);
  if (plan.problem) {
    return <ProblemNotice problem={plan.problem} onRetry={plan.reload} />;
  }
  if (!plan.value) {
    return <p className="vx-Muted">Looking at what belongs together …</p>;
  }
  const { items, left_out, reason, output } = plan.value;
  if (items.length === 0) {
    return <Notice kind="warning">{reason}</Notice>;
  }
  const name = new Map(selection.map(entry => [entry.id, entry.name]));
  const several = Object.keys(items[0]!.inputs).length > 1;
  const { cpu, memory, time } = tool.resources;
  return (
    <div className="vx-Plan" data-testid="each-plan">
      <p>
        <strong>{count(items.length, 'run')}</strong>, one for each of {named(items.map(item => item.label))}
        {items.length > 1 && ', and one table of all results at the end'}.
      </p>
      {several && (
        <details>
          <summary>What goes together</summary>
          <ul className="vx-Pairs">
            {items.slice(0, 50).map(item => (
              <li key={item.label}>
                {Object.values(item.inputs)
                  .flat()
                  .map(id => name.get(id) ?? id)
                  .join(' + ')}
              </li>
            ))}
            {items.length > 50 && <li>… and {count(items.length - 50, 'more pair', 'more pairs')}</li>}
          </ul>
        </details>
      )}
      {left_out.length > 0 && (
        <Notice kind="warning">
          <strong>{count(left_out.length, 'row')} left out</strong>, because nothing ties{' '}
          {left_out.length === 1 ? 'it' : 'them'} to an item for sure:{' '}
          {named(left_out.map(id => name.get(id) ?? 'a row'))}.
        </Notice>
      )}
      <p className="vx-Muted">
        Each takes at most {duration(time)}, {cpu} CPU and {bytes(memory)} of memory; all together at most{' '}
        {duration(time * cpu * items.length)} of CPU time. {bytes(output)} are set aside
        {target ? ` of the ${bytes(room(target))} that are free in ${target.title || target.name}` : ''} until
        they end.
      </p>
      {target && output > room(target) && (
        <Notice kind="error">
          The quota of {target.title || target.name} is not enough for all of them. Select fewer rows, or make
          room.
        </Notice>
      )}
    </div>
  );
}
