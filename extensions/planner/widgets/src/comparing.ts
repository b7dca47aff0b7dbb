// The chosen plan beside a peer's plans, in words.
import { count, duration, money, percent } from './text';
import type { Peer, Plan, Study } from './types';

export function dominates(one: Plan, other: Plan): boolean {
  const nowhereWorse =
    one.nodes <= other.nodes && one.cost_usd <= other.cost_usd && one.makespan_s <= other.makespan_s;
  return (
    nowhereWorse &&
    (one.nodes < other.nodes || one.cost_usd < other.cost_usd || one.makespan_s < other.makespan_s)
  );
}

/** How many of the peer's plans some plan of this front dominates. */
export function beaten(study: Study, peer: Peer): number {
  const ours = [...study.front.plans].sort((a, b) => a.makespan_s - b.makespan_s);
  return peer.front.plans.filter(theirs => {
    for (const plan of ours) {
      if (plan.makespan_s > theirs.makespan_s) return false;
      if (dominates(plan, theirs)) return true;
    }
    return false;
  }).length;
}

export interface Verdict {
  /** The peer's plan that the chosen one is measured against. */
  against: Plan | null;
  sentence: string;
}

export function verdict(plan: Plan, peer: Peer): Verdict {
  const { plans, infeasible_reason: reason } = peer.front;
  if (!plans.length) return { against: null, sentence: `${peer.title} has no plan. ${reason ?? ''}`.trim() };
  const fits = plans.filter(one => one.nodes <= plan.nodes && one.makespan_s <= plan.makespan_s);
  if (fits.length) {
    const against = fits.reduce((best, one) => (one.cost_usd < best.cost_usd ? one : best));
    return { against, sentence: `${asFast(plan, peer)} ${costs(plan, against)}` };
  }
  const asFew = plans.filter(one => one.nodes <= plan.nodes);
  if (asFew.length) {
    const against = asFew.reduce((best, one) => (one.makespan_s < best.makespan_s ? one : best));
    const longer = percent(against.makespan_s / plan.makespan_s - 1);
    const text = `${peer.title} is never done so soon with ${atMost(plan.nodes)}: it needs ${duration(against.makespan_s)}, ${longer} longer, and ${money(against.cost_usd)}.`;
    return { against, sentence: text };
  }
  const against = plans.reduce((best, one) => (one.nodes < best.nodes ? one : best));
  return {
    against,
    sentence: `${peer.title} cannot do it with ${atMost(plan.nodes)}: it needs ${count(against.nodes, 'untrusted node')} at least.`
  };
}

function atMost(nodes: number): string {
  return nodes ? `${nodes} untrusted nodes`.replace(/^1 (.*)s$/, '1 $1') : 'no untrusted node';
}

function asFast(plan: Plan, peer: Peer): string {
  return `With at most ${atMost(plan.nodes)} and done in ${duration(plan.makespan_s)}, the cheapest plan of “${peer.title}”`;
}

function costs(plan: Plan, against: Plan): string {
  const theirs = `costs ${money(against.cost_usd)}`;
  if (dominates(plan, against)) {
    const ahead = against.cost_usd > 0 ? 1 - plan.cost_usd / against.cost_usd : 0;
    return ahead > 0
      ? `${theirs}: this plan costs ${percent(ahead)} less and is nowhere worse. It dominates.`
      : `${theirs} as well: this plan is nowhere worse and somewhere better. It dominates.`;
  }
  if (dominates(against, plan)) return `${theirs}: it is nowhere worse than this plan and somewhere better.`;
  const ahead = against.cost_usd > 0 ? 1 - plan.cost_usd / against.cost_usd : 0;
  if (ahead === 0) return `${theirs}, as this plan does.`;
  return ahead > 0
    ? `${theirs}: this plan costs ${percent(ahead)} less.`
    : `${theirs}, ${percent(-ahead)} less than this plan.`;
}
