// The front in three dimensions: a box of time, nodes and cost that can be turned.
import { drawMark, drawPeer, drawRing, markSize, type Placed, type Scene } from './scene';
import { tickText } from './scale';

export interface Turn {
  /** Degrees around the upright axis, and of looking down. */
  yaw: number;
  pitch: number;
}

export const START: Turn = { yaw: -38, pitch: 24 };

interface Spot extends Placed {
  depth: number;
}

type Corner = readonly [time: number, cost: number, nodes: number];

const MARGIN = { across: 58, top: 34, bottom: 48 }; // CSS pixels that the labels need around the box
const EDGES: Corner[] = [0, 1, 2, 3, 4, 5, 6, 7].map(n => [n & 1, (n >> 1) & 1, (n >> 2) & 1] as const);

/** A point of the unit box, seen from the turn, before it is fitted to the canvas; nearer is larger in `depth`. */
function seen(turn: Turn, [time, cost, nodes]: Corner): Spot {
  const [yaw, pitch] = [(turn.yaw * Math.PI) / 180, (turn.pitch * Math.PI) / 180];
  const [x, y, z] = [time - 0.5, cost - 0.5, nodes - 0.5];
  const across = x * Math.cos(yaw) - z * Math.sin(yaw);
  const away = x * Math.sin(yaw) + z * Math.cos(yaw);
  const up = y * Math.cos(pitch) + away * Math.sin(pitch);
  const depth = y * Math.sin(pitch) - away * Math.cos(pitch);
  const near = 1 / (1 - depth * 0.18);
  return { x: across * near, y: -up * near, depth };
}

/** The box as large as the canvas lets it be from this side. */
function fitted(scene: Scene, turn: Turn): NonNullable<Scene['fit']> {
  const corners = EDGES.map(corner => seen(turn, corner));
  const [xs, ys] = [corners.map(spot => spot.x), corners.map(spot => spot.y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const across = scene.width - 2 * MARGIN.across;
  const down = scene.height - MARGIN.top - MARGIN.bottom;
  const size = Math.max(Math.min(across / (right - left), down / (bottom - top)), 1);
  return {
    size,
    x: scene.width / 2 - ((left + right) / 2) * size,
    y: MARGIN.top + down / 2 - ((top + bottom) / 2) * size
  };
}

/** A point of the unit box on the canvas. */
function project(scene: Scene, turn: Turn, corner: Corner): Spot {
  scene.fit ??= fitted(scene, turn);
  const { x, y, depth } = seen(turn, corner);
  return { x: scene.fit.x + x * scene.fit.size, y: scene.fit.y + y * scene.fit.size, depth };
}

function cornerOf(scene: Scene, nodes: number, cost: number, time: number): Corner {
  const along = scene.most > scene.fewest ? (nodes - scene.fewest) / (scene.most - scene.fewest) : 0.5;
  return [scene.time.at(time), scene.cost.at(cost), 0.04 + along * 0.92];
}

export function placeSolid(scene: Scene, turn: Turn, nodes: number, cost: number, time: number): Spot {
  return project(scene, turn, cornerOf(scene, nodes, cost, time));
}

export function drawSolid(context: CanvasRenderingContext2D, scene: Scene, turn: Turn): void {
  drawBox(context, scene, turn);
  drawPoints(context, scene, turn);
}

/** Floor and the two walls behind, with their ticks; which walls those are follows from where one looks. */
function drawBox(context: CanvasRenderingContext2D, scene: Scene, turn: Turn): void {
  const back = (axis: 0 | 2): number => {
    const at = (value: number): number =>
      project(scene, turn, axis === 0 ? [value, 0.5, 0.5] : [0.5, 0.5, value]).depth;
    return at(0) < at(1) ? 0 : 1;
  };
  const [wallTime, wallNodes] = [back(0), back(2)];
  const [frontTime, frontNodes] = [1 - wallTime, 1 - wallNodes];
  const line = (from: Corner, to: Corner): void => stroke(context, scene, turn, from, to);
  context.strokeStyle = scene.theme.line;
  context.lineWidth = 1;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  for (const tick of scene.time.ticks) {
    const t = scene.time.at(tick);
    line([t, 0, 0], [t, 0, 1]);
    line([t, 0, wallNodes], [t, 1, wallNodes]);
  }
  for (let nodes = scene.fewest; nodes <= scene.most; nodes++) {
    const z = cornerOf(scene, nodes, 0, 0)[2];
    line([0, 0, z], [1, 0, z]);
    line([wallTime, 0, z], [wallTime, 1, z]);
    label(context, scene, turn, [frontTime, 0, z], String(nodes));
  }
  for (const tick of scene.cost.ticks) {
    const c = scene.cost.at(tick);
    line([0, c, wallNodes], [1, c, wallNodes]);
    line([wallTime, c, 0], [wallTime, c, 1]);
    label(context, scene, turn, [frontTime, c, wallNodes], tickText(tick), 20);
  }
  thinned(scene).forEach(tick =>
    label(context, scene, turn, [scene.time.at(tick), 0, frontNodes], tickText(tick))
  );
  context.font = '600 12px system-ui, sans-serif';
  label(context, scene, turn, [0.5, 0, frontNodes], 'Time, seconds', 38, true);
  label(context, scene, turn, [frontTime, 0, 0.5], 'Nodes', 38, true);
  label(context, scene, turn, [frontTime, 1.12, wallNodes], 'Cost, USD', 22, true);
}

function thinned(scene: Scene): number[] {
  const { ticks } = scene.time;
  return ticks.length > 6 ? ticks.filter((_, n) => n % 2 === 0) : ticks;
}

function stroke(context: CanvasRenderingContext2D, scene: Scene, turn: Turn, from: Corner, to: Corner): void {
  const [a, b] = [project(scene, turn, from), project(scene, turn, to)];
  context.beginPath();
  context.moveTo(a.x, a.y);
  context.lineTo(b.x, b.y);
  context.stroke();
}

/** Text outside of the box beside one of its points. */
function label(
  context: CanvasRenderingContext2D,
  scene: Scene,
  turn: Turn,
  corner: Corner,
  text: string,
  apart = 14,
  strong = false
): void {
  const here = project(scene, turn, corner);
  const centre = project(scene, turn, [0.5, corner[1] === 0 ? 0.12 : corner[1], 0.5]);
  const [dx, dy] = [here.x - centre.x, here.y - centre.y];
  const length = Math.hypot(dx, dy) || 1;
  const half = context.measureText(text).width / 2 + 3;
  const x = here.x + (dx / length) * (apart + half * Math.abs(dx / length) * 0.6);
  context.textAlign = 'center';
  context.fillStyle = strong ? scene.theme.ink : scene.theme.muted;
  context.fillText(text, Math.min(Math.max(x, half), scene.width - half), here.y + (dy / length) * apart);
}

function drawPoints(context: CanvasRenderingContext2D, scene: Scene, turn: Turn): void {
  const { figures, mask, selected, study, shownPeers } = scene.session;
  const size = markSize(figures.count);
  const spots = Array.from({ length: figures.count }, (_, plan) =>
    placeSolid(scene, turn, figures.nodes[plan]!, figures.cost[plan]!, figures.time[plan]!)
  );
  study.peers.forEach((peer, n) => {
    if (!shownPeers.has(peer.id)) return;
    for (const plan of peer.front.plans) {
      const spot = placeSolid(scene, turn, plan.nodes, plan.cost_usd, plan.makespan_s);
      drawPeer(context, scene.theme, n, spot, peer.front.plans.length > 400 ? 1.8 : 3);
    }
  });
  const order = Uint32Array.from(spots.keys()).sort((a, b) => spots[a]!.depth - spots[b]!.depth);
  for (const plan of order) {
    const spot = spots[plan]!;
    if (!mask[plan]) {
      context.globalAlpha = 0.35;
      context.fillStyle = scene.theme.muted;
      context.fillRect(spot.x - 1.5, spot.y - 1.5, 3, 3);
      context.globalAlpha = 1;
      continue;
    }
    if (figures.count <= 400) drawFeet(context, scene, turn, plan, spot);
    drawMark(context, scene, figures.nodes[plan]!, spot, size * (1 + spot.depth * 0.25));
  }
  for (const [plan, chosen] of [
    [scene.cursor, false],
    [selected, true]
  ] as const) {
    const spot = spots[plan];
    if (!spot) continue;
    drawMark(context, scene, figures.nodes[plan]!, spot, Math.max(size, 5));
    drawRing(context, scene, spot, chosen);
  }
}

/** The whisker to the proven bound, and a faint line to the floor that shows where the plan stands. */
function drawFeet(
  context: CanvasRenderingContext2D,
  scene: Scene,
  turn: Turn,
  plan: number,
  spot: Spot
): void {
  const { figures } = scene.session;
  const [nodes, time] = [figures.nodes[plan]!, figures.time[plan]!];
  const [t, , z] = cornerOf(scene, nodes, 0, time);
  context.strokeStyle = scene.theme.muted;
  context.globalAlpha = 0.16;
  context.lineWidth = 1;
  const floor = project(scene, turn, [t, 0, z]);
  context.beginPath();
  context.moveTo(spot.x, spot.y);
  context.lineTo(floor.x, floor.y);
  context.stroke();
  context.globalAlpha = 1;
  const bound = placeSolid(scene, turn, nodes, figures.bound[plan]!, time);
  if (Math.abs(bound.y - spot.y) < 1.5) return;
  context.strokeStyle = scene.theme.ink;
  context.lineWidth = 1.2;
  context.beginPath();
  context.moveTo(spot.x, spot.y);
  context.lineTo(bound.x, bound.y);
  context.moveTo(bound.x - 3, bound.y);
  context.lineTo(bound.x + 3, bound.y);
  context.stroke();
}
