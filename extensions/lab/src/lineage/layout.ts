/** Where each step of a history is drawn: a column for each step from left to right, and few crossings. */
import type { LineageEdge, LineageNode } from '../shared/types';

export const WIDTH = 214;
export const HEIGHT = 78;
const ACROSS = 52;
const BETWEEN = 18;
const MARGIN = 24;
const SWEEPS = 6;

export interface Placed {
  node: LineageNode;
  column: number;
  x: number;
  y: number;
}

export interface Drawing {
  placed: Map<string, Placed>;
  columns: string[][];
  width: number;
  height: number;
}

type Neighbours = Map<string, string[]>;

function neighbours(
  edges: readonly LineageEdge[],
  from: 'source' | 'target',
  to: 'source' | 'target'
): Neighbours {
  const found: Neighbours = new Map();
  for (const edge of edges) {
    const list = found.get(edge[from]) ?? [];
    if (!list.includes(edge[to])) {
      list.push(edge[to]);
    }
    found.set(edge[from], list);
  }
  return found;
}

/** Column of each node: one more than the farthest of what it came from. A history has no circles. */
function ranks(nodes: readonly LineageNode[], before: Neighbours): Map<string, number> {
  const found = new Map<string, number>();
  const rank = (key: string): number => {
    const known = found.get(key);
    if (known !== undefined) {
      return known;
    }
    found.set(key, 0);
    const value = Math.max(-1, ...(before.get(key) ?? []).map(rank)) + 1;
    found.set(key, value);
    return value;
  };
  nodes.forEach(node => rank(node.key));
  return found;
}

/** What was brought in stands beside what first used it, not at the far left. */
function pullRight(
  nodes: readonly LineageNode[],
  after: Neighbours,
  rank: Map<string, number>,
  before: Neighbours
): void {
  for (const { key } of nodes) {
    const next = (after.get(key) ?? []).map(other => rank.get(other) ?? 0);
    if (!before.get(key)?.length && next.length > 0) {
      rank.set(key, Math.min(...next) - 1);
    }
  }
}

function order(columns: string[][], before: Neighbours, after: Neighbours): void {
  const place = new Map<string, number>();
  const note = (column: string[]): void => column.forEach((key, at) => place.set(key, at));
  columns.forEach(note);
  const middle = (key: string, beside: Neighbours): number => {
    const others = (beside.get(key) ?? []).map(other => place.get(other) ?? 0);
    return others.length ? others.reduce((a, b) => a + b, 0) / others.length : (place.get(key) ?? 0);
  };
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const beside = sweep % 2 === 0 ? before : after;
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const weight = new Map(column.map(key => [key, middle(key, beside)]));
      column.sort((a, b) => weight.get(a)! - weight.get(b)! || place.get(a)! - place.get(b)!);
      note(column);
    }
  }
}

export function draw(nodes: readonly LineageNode[], edges: readonly LineageEdge[]): Drawing {
  const before = neighbours(edges, 'target', 'source');
  const after = neighbours(edges, 'source', 'target');
  const rank = ranks(nodes, before);
  pullRight(nodes, after, rank, before);
  const columns: string[][] = [];
  for (const { key } of nodes) {
    (columns[rank.get(key)!] ??= []).push(key);
  }
  const filled = columns.filter(column => column?.length);
  order(filled, before, after);
  const tallest = Math.max(1, ...filled.map(column => column.length));
  const height = 2 * MARGIN + tallest * HEIGHT + (tallest - 1) * BETWEEN;
  const byKey = new Map(nodes.map(node => [node.key, node]));
  const placed = new Map<string, Placed>();
  filled.forEach((column, at) => {
    const used = column.length * HEIGHT + (column.length - 1) * BETWEEN;
    column.forEach((key, row) =>
      placed.set(key, {
        node: byKey.get(key)!,
        column: at,
        x: MARGIN + at * (WIDTH + ACROSS),
        y: (height - used) / 2 + row * (HEIGHT + BETWEEN)
      })
    );
  });
  const width = 2 * MARGIN + filled.length * WIDTH + Math.max(0, filled.length - 1) * ACROSS;
  return { placed, columns: filled, width, height };
}

/** A curve from the right side of one node to the left side of the other. */
export function curve(from: Placed, to: Placed): string {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max(28, (x2 - x1) / 2);
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 5} ${y2}`;
}
