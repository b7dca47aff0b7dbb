// The front in two dimensions: time to the right, cost upwards, shape and colour by nodes.
import {
  byNodes,
  drawMark,
  drawMarks,
  drawPeer,
  drawRing,
  markSize,
  nodesColour,
  type Placed,
  type Scene
} from './scene';
import { tickText } from './scale';

const CROWD = 1500; // plans

interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

function frameOf(scene: Scene): Frame {
  return { left: scene.width < 420 ? 50 : 62, right: scene.width - 14, top: 26, bottom: scene.height - 42 };
}

export function placeFlat(scene: Scene, _nodes: number, cost: number, time: number): Placed {
  const frame = frameOf(scene);
  return {
    x: frame.left + scene.time.at(time) * (frame.right - frame.left),
    y: frame.bottom - scene.cost.at(cost) * (frame.bottom - frame.top)
  };
}

export function drawFlat(context: CanvasRenderingContext2D, scene: Scene): void {
  const frame = frameOf(scene);
  drawAxes(context, scene, frame);
  drawLimits(context, scene, frame);
  drawStairs(context, scene);
  drawPeers(context, scene);
  drawPlans(context, scene);
}

function drawAxes(context: CanvasRenderingContext2D, scene: Scene, frame: Frame): void {
  const { theme } = scene;
  context.font = '11.5px system-ui, sans-serif';
  context.lineWidth = 1;
  context.textBaseline = 'middle';
  for (const tick of scene.cost.ticks) {
    const { y } = placeFlat(scene, 0, tick, 0);
    rule(context, theme.line, [frame.left, y], [frame.right, y]);
    context.textAlign = 'right';
    context.fillStyle = theme.muted;
    context.fillText(tickText(tick), frame.left - 7, y);
  }
  context.textAlign = 'center';
  let free = -Infinity;
  for (const tick of scene.time.ticks) {
    const { x } = placeFlat(scene, 0, 0, tick);
    rule(context, theme.line, [x, frame.top], [x, frame.bottom]);
    const text = tickText(tick);
    const half = context.measureText(text).width / 2;
    if (x - half < free || x + half > scene.width) continue;
    free = x + half + 8;
    context.fillStyle = theme.muted;
    context.fillText(text, x, frame.bottom + 13);
  }
  context.fillStyle = theme.ink;
  context.font = '600 12px system-ui, sans-serif';
  context.fillText('Time until all is done, seconds', (frame.left + frame.right) / 2, frame.bottom + 31);
  context.textAlign = 'left';
  context.fillText(`Cost, USD${scene.cost.logarithmic ? ', logarithmic' : ''}`, 4, 10);
}

function rule(
  context: CanvasRenderingContext2D,
  colour: string,
  from: [number, number],
  to: [number, number]
): void {
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(Math.round(from[0]) + 0.5, Math.round(from[1]) + 0.5);
  context.lineTo(Math.round(to[0]) + 0.5, Math.round(to[1]) + 0.5);
  context.stroke();
}

/** What lies beyond budget or deadline is shaded, its edge dashed. */
function drawLimits(context: CanvasRenderingContext2D, scene: Scene, frame: Frame): void {
  const { budget_usd: budget, deadline_s: deadline } = scene.session.limits;
  context.save();
  context.setLineDash([5, 4]);
  const shade = (x: number, y: number, width: number, height: number): void => {
    context.globalAlpha = 0.1;
    context.fillStyle = scene.theme.warn;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
  };
  if (typeof deadline === 'number') {
    const x = Math.min(Math.max(placeFlat(scene, 0, 0, deadline).x, frame.left), frame.right);
    shade(x, frame.top, frame.right - x, frame.bottom - frame.top);
    rule(context, scene.theme.warn, [x, frame.top], [x, frame.bottom]);
  }
  if (typeof budget === 'number') {
    const y = Math.min(Math.max(placeFlat(scene, 0, budget, 0).y, frame.top), frame.bottom);
    shade(frame.left, frame.top, frame.right - frame.left, y - frame.top);
    rule(context, scene.theme.warn, [frame.left, y], [frame.right, y]);
  }
  context.restore();
}

/** Plans of as many nodes are joined by steps: what can be had with that many. In a crowd they would only hide it. */
function drawStairs(context: CanvasRenderingContext2D, scene: Scene): void {
  const { figures } = scene.session;
  if (figures.count > CROWD) return;
  context.lineWidth = 1.4;
  context.globalAlpha = 0.45;
  for (const [nodes, plans] of byNodes(scene)) {
    context.strokeStyle = nodesColour(scene, nodes);
    context.beginPath();
    plans.forEach((plan, n) => {
      const { x, y } = placeFlat(scene, nodes, figures.cost[plan]!, figures.time[plan]!);
      if (n) {
        context.lineTo(x, placeFlat(scene, nodes, figures.cost[plans[n - 1]!]!, 0).y);
        context.lineTo(x, y);
      } else context.moveTo(x, y);
    });
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawPeers(context: CanvasRenderingContext2D, scene: Scene): void {
  scene.session.study.peers.forEach((peer, n) => {
    if (!scene.session.shownPeers.has(peer.id)) return;
    const size = peer.front.plans.length > 400 ? 2 : 3.6;
    for (const plan of peer.front.plans) {
      drawPeer(context, scene.theme, n, placeFlat(scene, plan.nodes, plan.cost_usd, plan.makespan_s), size);
    }
  });
}

function drawPlans(context: CanvasRenderingContext2D, scene: Scene): void {
  const { figures, mask, selected } = scene.session;
  const size = markSize(figures.count);
  const place = (plan: number): Placed =>
    placeFlat(scene, figures.nodes[plan]!, figures.cost[plan]!, figures.time[plan]!);
  context.fillStyle = scene.theme.muted;
  context.globalAlpha = 0.35;
  for (let plan = 0; plan < figures.count; plan++) {
    if (mask[plan]) continue;
    const { x, y } = place(plan);
    context.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
  context.globalAlpha = 1;
  drawWhiskers(context, scene);
  for (const [nodes, plans] of byNodes(scene)) drawMarks(context, scene, nodes, plans.map(place), size);
  for (const [plan, chosen] of [
    [scene.cursor, false],
    [selected, true]
  ] as const) {
    if (plan < 0 || plan >= figures.count) continue;
    drawMark(context, scene, figures.nodes[plan]!, place(plan), Math.max(size, 5));
    drawRing(context, scene, place(plan), chosen);
  }
}

/** From each plan down to what is proven that no plan of its kind undercuts; too short to see where the proof is tight. */
function drawWhiskers(context: CanvasRenderingContext2D, scene: Scene): void {
  const { figures, mask } = scene.session;
  context.fillStyle = scene.theme.ink;
  for (let plan = 0; plan < figures.count; plan++) {
    if (!mask[plan]) continue;
    const { x, y } = placeFlat(scene, 0, figures.cost[plan]!, figures.time[plan]!);
    const foot = placeFlat(scene, 0, figures.bound[plan]!, figures.time[plan]!).y;
    if (foot - y < 1.5) continue;
    context.fillRect(x - 0.6, y, 1.2, foot - y);
    context.fillRect(x - 3.5, foot - 0.6, 7, 1.2);
  }
}
