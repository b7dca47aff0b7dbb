// One plan in detail: who gets what, how long it takes, what it costs, and what each trust domain holds.
import type { Node, Plan, Slide, Study } from './types';

export interface Row {
  slide: Slide;
  fragment: number;
  patches: number;
  node: Node;
  seconds: number;
  /** Of these seconds alone; billing periods and minimum charges are of a node's whole time. */
  usd: number;
}

export interface Details {
  rows: Row[];
  patches: number;
  /** What billing periods and minimum charges add to the rows. */
  rounding_usd: number;
}

export function secondsOf(node: Node, patches: number, kbPerPatch: number): number {
  const transfer = node.uplink_mbps === null ? 0 : (kbPerPatch * 8) / 1000 / node.uplink_mbps;
  return node.setup_s + patches * (transfer + 1 / node.throughput_patches_per_s);
}

export function detailsOf(study: Study, plan: Plan): Details {
  const nodes = new Map(study.nodes.map(node => [node.id, node]));
  const rows = study.slides.flatMap((slide, w) =>
    (plan.assignment[w] ?? []).flatMap((id, fragment): Row[] => {
      const node = id === null ? undefined : nodes.get(id);
      const patches = slide.fragments[fragment] ?? 0;
      if (!node) return [];
      const seconds = secondsOf(node, patches, study.kb_per_patch);
      return [{ slide, fragment, patches, node, seconds, usd: (seconds * node.price_usd_per_hour) / 3600 }];
    })
  );
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    rows,
    patches: sum(row => row.patches),
    rounding_usd: Math.max(plan.cost_usd - sum(row => row.usd), 0)
  };
}

export interface Party {
  name: string;
  trusted: boolean;
  nodes: Node[];
  /** Fragments of the slide that lie on its nodes, ascending. */
  fragments: number[];
  patches: number;
  /** Of the slide's patches. */
  share: number;
}

/** Who holds what of one slide; untrusted domains first, those that see most at the top. */
export function partiesOf(study: Study, plan: Plan, w: number): Party[] {
  const slide = study.slides[w];
  const nodes = new Map(study.nodes.map(node => [node.id, node]));
  const found = new Map<string, Party>();
  (plan.assignment[w] ?? []).forEach((id, fragment) => {
    const node = id === null ? undefined : nodes.get(id);
    if (!node || !slide) return;
    const name = node.trust_domain;
    const party = found.get(name) ?? {
      name,
      trusted: node.trusted,
      nodes: [],
      fragments: [],
      patches: 0,
      share: 0
    };
    found.set(name, party);
    party.trusted &&= node.trusted;
    if (!party.nodes.includes(node)) party.nodes.push(node);
    party.fragments.push(fragment);
    party.patches += slide.fragments[fragment] ?? 0;
    party.share = party.patches / Math.max(slide.patches, 1);
  });
  return [...found.values()].sort(
    (a, b) => Number(a.trusted) - Number(b.trusted) || b.patches - a.patches || a.name.localeCompare(b.name)
  );
}

/** Trust domains in the order of the price list, so that a domain keeps its colour from plan to plan. */
export function domainsOf(study: Study): string[] {
  return [...new Set(study.nodes.map(node => node.trust_domain))];
}
