// The chosen plan at a glance, what is proven about it, and how it stands beside other methods.
import { beaten, verdict } from './comparing';
import { h, head, row } from './dom';
import type { Session } from './session';
import { count, duration, money, percent } from './text';
import type { Peer, Plan } from './types';

export class Chosen {
  readonly element = h('section', { class: 'card chosen', 'aria-labelledby': 'chosen-title' });
  /** Plans of each peer that this front dominates: counted once a study. */
  private beaten = new Map<string, number>();

  constructor(private readonly session: Session) {
    session.listen(change => {
      if (change === 'study') this.beaten.clear();
    });
    session.drawOn(['study', 'selected'], () => this.draw());
    this.draw();
  }

  private draw(): void {
    const { plan } = this.session;
    this.element.replaceChildren(
      h('h3', { id: 'chosen-title' }, plan ? 'The chosen plan' : 'There is no plan'),
      ...(plan ? this.facts(plan) : this.refusal())
    );
  }

  private facts(plan: Plan): HTMLElement[] {
    const facts: [string, string][] = [
      [String(plan.nodes), plan.nodes === 1 ? 'untrusted node' : 'untrusted nodes'],
      [money(plan.cost_usd), 'cost'],
      [duration(plan.makespan_s), 'until all is done']
    ];
    return [
      h(
        'dl',
        { class: 'facts' },
        ...facts.map(([value, name]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))
      ),
      h('p', {}, proofText(plan)),
      h('p', {}, seenText(plan)),
      ...this.session.study.peers.map(peer => this.beside(plan, peer))
    ];
  }

  private beside(plan: Plan, peer: Peer): HTMLElement {
    const { against, sentence } = verdict(plan, peer);
    const known = this.beaten.get(peer.id) ?? beaten(this.session.study, peer);
    this.beaten.set(peer.id, known);
    const total = peer.front.plans.length;
    return h(
      'div',
      { class: 'peer' },
      h('h4', {}, `Beside “${peer.title}”`),
      h('p', {}, sentence),
      against && comparison(plan, against, peer.title),
      total > 0 &&
        h(
          'p',
          { class: 'note' },
          `Of its ${count(total, 'plan')}, ${known === total && total > 1 ? 'all' : known} (${percent(known / total)}) are dominated by a plan of this front.`
        )
    );
  }

  private refusal(): HTMLElement[] {
    const { front } = this.session.study;
    const reason =
      front.infeasible_reason ?? 'None was found, and nothing is proven: give the planner more time.';
    return [
      h('p', { class: 'warn' }, reason),
      ...front.relaxations.map(one =>
        h(
          'p',
          {},
          `With ${one.limit} raised to ${one.value}, others kept, there is a plan; below ${one.proven} there is none.`
        )
      )
    ];
  }
}

export function proofText(plan: Plan): string {
  const kind = plan.nodes === 1 ? 'with 1 untrusted node' : `with ${plan.nodes || 'no'} untrusted nodes`;
  const within = `${kind} and done in ${duration(plan.makespan_s)}`;
  return plan.gap > 0
    ? `Proven: no plan ${within} costs less than ${money(plan.lower_bound_usd)}. At most ${percent(plan.gap)} of this plan’s cost could be saved.`
    : `Proven: no plan ${within} is cheaper.`;
}

function seenText(plan: Plan): string {
  const share = `The trust domain that sees most holds ${percent(plan.largest_share)} of one slide.`;
  return plan.leakage
    ? `${share} The worst two together see ${percent(plan.leakage.worst_pair)} of all pairs of patches that touch.`
    : `${share} Which patches touch is not known here, so nothing is said about pairs.`;
}

function comparison(plan: Plan, other: Plan, title: string): HTMLElement {
  const change = (ours: number, theirs: number): string => {
    if (ours === theirs) return 'the same';
    if (!theirs) return 'more';
    const ahead = 1 - ours / theirs;
    return ahead > 0 ? `${percent(ahead)} less` : `${percent(-ahead)} more`;
  };
  const number = (column: number): boolean => column > 0;
  const rows: [string, string, string, string][] = [
    ['Nodes', String(plan.nodes), String(other.nodes), change(plan.nodes, other.nodes)],
    ['Cost', money(plan.cost_usd), money(other.cost_usd), change(plan.cost_usd, other.cost_usd)],
    ['Time', duration(plan.makespan_s), duration(other.makespan_s), change(plan.makespan_s, other.makespan_s)]
  ];
  return h(
    'table',
    { class: 'beside' },
    head(['', 'This plan', title, 'This plan needs'], number),
    h('tbody', {}, ...rows.map(cells => row(cells, number)))
  );
}
