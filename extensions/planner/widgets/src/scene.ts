// What both pictures of the front share: the marks of plans and peers, and how a person points at one.
import { h } from './dom';
import { duration, money, percent } from './text';
import { orderColour, shape } from './palette';
import { scaleOf, type Scale } from './scale';
import type { Session } from './session';
import type { Theme } from './theme';
import type { Plan } from './types';

export interface Placed {
  x: number;
  y: number;
}

export interface Scene {
  session: Session;
  theme: Theme;
  width: number;
  height: number;
  /** Plan under the cursor of the keyboard or the pointer; −1: none. */
  cursor: number;
  time: Scale;
  cost: Scale;
  fewest: number;
  most: number;
  /** Where the box of the solid picture lies; reckoned once a drawing. */
  fit?: { size: number; x: number; y: number };
}

export function sceneOf(session: Session): Pick<Scene, 'time' | 'cost' | 'fewest' | 'most'> {
  const { figures, study } = session;
  const peers = study.peers.flatMap(peer => peer.front.plans);
  const nodes = [...figures.nodes, ...peers.map(plan => plan.nodes)];
  return {
    time: scaleOf([...figures.time, ...peers.map(plan => plan.makespan_s)]),
    cost: scaleOf([...figures.cost, ...peers.map(plan => plan.cost_usd)]),
    fewest: nodes.reduce((least, n) => Math.min(least, n), Infinity),
    most: nodes.reduce((most, n) => Math.max(most, n), 0)
  };
}

export function nodesColour(scene: Pick<Scene, 'fewest' | 'most' | 'theme'>, nodes: number): string {
  return orderColour((nodes - scene.fewest) / Math.max(scene.most - scene.fewest, 1), scene.theme.dark);
}

const SHAPED = 3; // size below which a shape cannot be told from a dot

export function markSize(count: number): number {
  return count > 1500 ? 1.8 : count > 400 ? 3 : count > 120 ? 3.8 : 5;
}

/** The plans that keep to the limits, the fastest first, by their number of nodes. */
export function byNodes(scene: Scene): Map<number, number[]> {
  const { figures, mask } = scene.session;
  const found = new Map<number, number[]>();
  for (const plan of figures.byTime) {
    if (!mask[plan]) continue;
    const nodes = figures.nodes[plan]!;
    const known = found.get(nodes);
    if (known) known.push(plan);
    else found.set(nodes, [plan]);
  }
  return found;
}

/** Marks of plans with so many nodes: drawn once, then stamped, which is what makes thousands of them fast. */
export function drawMarks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  nodes: number,
  places: Placed[],
  size: number
): void {
  if (size < SHAPED) {
    context.fillStyle = nodesColour(scene, nodes);
    for (const { x, y } of places) context.fillRect(x - size, y - size, 2 * size, 2 * size);
    return;
  }
  const { canvas, width, scale } = stampOf(scene, nodes, Math.round(size * 4) / 4);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0); // whole pixels of the canvas: copied, not resampled
  for (const { x, y } of places) {
    context.drawImage(canvas, Math.round(x * scale - width / 2), Math.round(y * scale - width / 2));
  }
  context.restore();
}

interface Stamp {
  canvas: HTMLCanvasElement;
  width: number;
  /** Pixels of the canvas to a CSS pixel. */
  scale: number;
}

const stamps = new Map<string, Stamp>();

function stampOf(scene: Scene, nodes: number, size: number): Stamp {
  const colour = nodesColour(scene, nodes);
  const scale = Math.max(window.devicePixelRatio || 1, 1);
  const key = [nodes % 10, colour, size, scale, scene.theme.ground].join();
  const known = stamps.get(key);
  if (known) return known;
  const width = Math.ceil((size * 1.5 + 1.5) * 2 * scale);
  const canvas = h('canvas', { width, height: width });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context) {
    context.scale(scale, scale);
    shape(context, nodes, width / scale / 2, width / scale / 2, size);
    context.fillStyle = colour;
    context.fill();
    context.strokeStyle = scene.theme.ground;
    if (size >= 3.5) context.stroke();
  }
  if (stamps.size > 500) stamps.clear(); // sizes vary with depth and zoom
  const made = { canvas, width, scale };
  stamps.set(key, made);
  return made;
}

export function drawMark(
  context: CanvasRenderingContext2D,
  scene: Scene,
  nodes: number,
  place: Placed,
  size: number
): void {
  drawMarks(context, scene, nodes, [place], size);
}

/** Around the chosen plan a ring; around the one that is pointed at a thinner one. */
export function drawRing(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { x, y }: Placed,
  chosen: boolean
): void {
  context.beginPath();
  context.arc(x, y, chosen ? 11 : 9, 0, Math.PI * 2);
  context.strokeStyle = chosen ? scene.theme.accent : scene.theme.ink;
  context.lineWidth = chosen ? 3 : 1.5;
  context.stroke();
}

/** Peers are hollow: a square for the first, a cross for the second, … */
export function drawPeer(
  context: CanvasRenderingContext2D,
  theme: Theme,
  peer: number,
  { x, y }: Placed,
  size: number
): void {
  context.strokeStyle = peerColour(peer, theme.dark);
  context.lineWidth = 1.6;
  context.beginPath();
  if (peer % 2) {
    for (const [dx, dy] of [
      [1, 1],
      [1, -1]
    ] as const) {
      context.moveTo(x - dx * size, y - dy * size);
      context.lineTo(x + dx * size, y + dy * size);
    }
  } else context.rect(x - size, y - size, 2 * size, 2 * size);
  context.stroke();
}

export function peerColour(peer: number, dark: boolean): string {
  const colours = dark ? ['#f0a35e', '#e78bb9'] : ['#b8500f', '#a8326f'];
  return colours[peer % colours.length]!;
}

/** Nodes, cost and time in a few words. */
export function planFigures(plan: Plan): string {
  const nodes = plan.nodes === 1 ? '1 node' : plan.nodes ? `${plan.nodes} nodes` : 'your own nodes';
  return `${nodes}, ${money(plan.cost_usd)}, ${duration(plan.makespan_s)}`;
}

export function planText(session: Session, plan: number): string {
  const one = session.study.front.plans[plan];
  if (!one) return 'No plan.';
  const proof =
    one.gap > 0 ? `proven within ${percent(one.gap)} of the cheapest` : 'proven the cheapest of its kind';
  return `${planFigures(one)}; ${proof}`;
}
