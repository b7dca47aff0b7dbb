// The picture of the front: flat or solid, pointed at with the mouse, walked along with the keyboard.
import { button, h, on, sized } from './dom';
import { drawFlat, placeFlat } from './flat';
import { frontLegend } from './legend';
import { planText, sceneOf, type Placed, type Scene } from './scene';
import type { Session } from './session';
import { drawSolid, placeSolid, START, type Turn } from './solid';
import { themeOf } from './theme';
import { capital } from './text';

const REACH = 16; // CSS pixels from a mark within which it is meant
const HELP_FLAT =
  'Arrow keys left and right walk from fast to cheap, up and down to more or fewer nodes; Enter chooses.';
const HELP_SOLID = 'Drag or use the arrow keys to turn the box; N and P walk along the plans; Enter chooses.';

export class FrontView {
  readonly element: HTMLElement;
  readonly canvas = h('canvas', {
    tabindex: 0,
    role: 'slider',
    'aria-label': 'Plans, from the fastest to the slowest'
  });
  private readonly tip = h('div', { class: 'tip', hidden: true });
  private readonly help = h('p', { class: 'note' });
  private readonly legend: { element: HTMLElement; draw(): void };
  private readonly modes: HTMLButtonElement[];
  private readonly stage = h('div', { class: 'stage' });
  private readonly watcher: ResizeObserver;
  private scales: ReturnType<typeof sceneOf>;
  private solid = false;
  private turn: Turn = { ...START };
  private cursor = -1;
  private width = 0;
  private drag: { x: number; y: number; moved: boolean } | null = null;

  constructor(
    private readonly session: Session,
    private readonly host: HTMLElement
  ) {
    this.scales = sceneOf(session);
    this.legend = frontLegend(session, host, () => this.scales);
    this.modes = [
      button('2-D', () => this.show(false), { 'aria-pressed': 'true' }),
      button('3-D', () => this.show(true), { 'aria-pressed': 'false' })
    ];
    this.stage.append(this.canvas, this.tip);
    this.element = h(
      'section',
      { class: 'card front', 'aria-labelledby': 'front-title' },
      h(
        'div',
        { class: 'cardhead' },
        h('h3', { id: 'front-title' }, 'All plans worth considering'),
        h('div', { class: 'switch', role: 'group', 'aria-label': 'Picture' }, ...this.modes)
      ),
      h(
        'p',
        { class: 'lead' },
        'Every mark is a plan, and none is beaten by another in nodes, cost and time at once. Lower is cheaper, further left is sooner.'
      ),
      this.stage,
      this.help,
      this.legend.element
    );
    this.listen();
    this.watcher = new ResizeObserver(entries => {
      const width = entries[0]?.contentRect.width ?? 0;
      if (Math.abs(width - this.width) >= 1) this.draw();
    });
    this.watcher.observe(this.stage);
    session.listen(change => {
      if (change === 'study') this.scales = sceneOf(session);
    });
    session.drawOn(['study', 'limits', 'selected', 'peers', 'theme'], () => this.draw());
  }

  dispose(): void {
    this.watcher.disconnect();
  }

  show(solid: boolean): void {
    this.solid = solid;
    this.modes.forEach((mode, n) => mode.setAttribute('aria-pressed', String((n === 1) === solid)));
    this.draw();
  }

  draw(): void {
    this.width = this.stage.clientWidth;
    if (!this.width) return;
    const { session, canvas } = this;
    const scene = this.scene();
    const context = sized(canvas, scene.width, scene.height);
    if (this.solid) drawSolid(context, scene, this.turn);
    else drawFlat(context, scene);
    this.help.textContent = this.solid ? HELP_SOLID : HELP_FLAT;
    this.legend.draw();
    const shown = this.cursor >= 0 ? this.cursor : session.selected;
    canvas.setAttribute('aria-valuemin', '1');
    canvas.setAttribute('aria-valuemax', String(Math.max(session.figures.count, 1)));
    canvas.setAttribute('aria-valuenow', String(shown + 1));
    canvas.setAttribute('aria-valuetext', `Plan ${shown + 1}: ${planText(session, shown)}`);
  }

  private scene(): Scene {
    const height = Math.round(Math.min(Math.max(this.width * 0.62, 250), 430));
    const { session, cursor } = this;
    return { session, theme: themeOf(this.host), width: this.width, height, cursor, ...this.scales };
  }

  private place(scene: Scene, plan: number): Placed {
    const { nodes, cost, time } = this.session.figures;
    return this.solid
      ? placeSolid(scene, this.turn, nodes[plan]!, cost[plan]!, time[plan]!)
      : placeFlat(scene, nodes[plan]!, cost[plan]!, time[plan]!);
  }

  private listen(): void {
    on(this.canvas, {
      keydown: event => this.key(event),
      blur: () => this.point(-1),
      pointermove: event => this.hover(event),
      pointerleave: () => this.point(-1),
      pointerdown: event => {
        this.drag = { x: event.clientX, y: event.clientY, moved: false };
        if (this.solid) this.canvas.setPointerCapture(event.pointerId);
      },
      pointerup: event => {
        const clicked = this.drag && !this.drag.moved;
        this.drag = null;
        if (!clicked) return;
        const plan = this.nearest(event);
        if (plan >= 0) this.session.select(plan);
      }
    });
  }

  private hover(event: PointerEvent): void {
    if (this.drag && this.solid && event.buttons) {
      const [dx, dy] = [event.clientX - this.drag.x, event.clientY - this.drag.y];
      if (!this.drag.moved && Math.hypot(dx, dy) < 4) return;
      this.drag = { x: event.clientX, y: event.clientY, moved: true };
      this.rotate(dx * 0.5, dy * 0.4);
    } else this.point(this.nearest(event));
  }

  private rotate(yaw: number, pitch: number): void {
    this.turn.yaw += yaw;
    this.turn.pitch = Math.min(Math.max(this.turn.pitch + pitch, 0), 85);
    this.point(-1);
    this.draw();
  }

  private nearest(event: PointerEvent): number {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const scene = this.scene();
    let [best, least] = [-1, REACH];
    for (let plan = 0; plan < this.session.figures.count; plan++) {
      if (!this.session.mask[plan]) continue;
      const here = this.place(scene, plan);
      const distance = Math.hypot(here.x - x, here.y - y);
      if (distance < least) [best, least] = [plan, distance];
    }
    return best;
  }

  /** Shows which plan is pointed at, with its figures beside it. */
  private point(plan: number): void {
    if (plan === this.cursor) return;
    this.cursor = plan;
    this.draw();
    this.tip.hidden = plan < 0;
    if (plan < 0) return;
    const { x, y } = this.place(this.scene(), plan);
    this.tip.textContent = capital(planText(this.session, plan));
    const room = Math.min(240, this.width - 16);
    this.tip.style.maxWidth = `${room}px`;
    this.tip.style.left = `${Math.min(Math.max(x - room / 2, 4), this.width - room - 4)}px`;
    this.tip.style.top = y > 90 ? '' : `${y + 18}px`;
    this.tip.style.bottom = y > 90 ? `${this.stage.clientHeight - y + 16}px` : '';
  }

  private key(event: KeyboardEvent): void {
    const step = this.stepOf(event.key);
    if (event.ctrlKey || event.metaKey || event.altKey || !step) return;
    event.preventDefault();
    event.stopPropagation();
    step();
  }

  private stepOf(key: string): (() => void) | null {
    const along = (step: number) => () => this.walk(step);
    const turns: Record<string, () => void> = {
      ArrowLeft: () => this.rotate(-8, 0),
      ArrowRight: () => this.rotate(8, 0),
      ArrowUp: () => this.rotate(0, 6),
      ArrowDown: () => this.rotate(0, -6)
    };
    const walks: Record<string, () => void> = {
      ArrowLeft: along(-1),
      ArrowRight: along(1),
      ArrowUp: () => this.across(1),
      ArrowDown: () => this.across(-1)
    };
    const both: Record<string, () => void> = {
      n: along(1),
      p: along(-1),
      Home: along(-Infinity),
      End: along(Infinity),
      Enter: () => this.choose(),
      ' ': () => this.choose(),
      Escape: () => this.point(-1)
    };
    return (this.solid ? turns : walks)[key] ?? both[key] ?? null;
  }

  private choose(): void {
    if (this.cursor >= 0) this.session.select(this.cursor);
  }

  private walk(step: number): void {
    const { figures, mask, selected } = this.session;
    const order = [...figures.byTime].filter(plan => mask[plan]);
    if (!order.length) return;
    const at = order.indexOf(this.cursor >= 0 ? this.cursor : selected);
    this.point(order[Math.min(Math.max(at + step, 0), order.length - 1)]!);
  }

  /** To the plan of the next larger or smaller number of nodes that takes most nearly as long. */
  private across(step: 1 | -1): void {
    const { figures, mask, selected } = this.session;
    const from = this.cursor >= 0 ? this.cursor : selected;
    if (from < 0) return;
    let [best, least] = [-1, Infinity];
    for (let plan = 0; plan < figures.count; plan++) {
      const further = (figures.nodes[plan]! - figures.nodes[from]!) * step;
      if (!mask[plan] || further <= 0) continue;
      const distance =
        further * 1e6 +
        Math.abs(this.scales.time.at(figures.time[plan]!) - this.scales.time.at(figures.time[from]!));
      if (distance < least) [best, least] = [plan, distance];
    }
    if (best >= 0) this.point(best);
  }
}
