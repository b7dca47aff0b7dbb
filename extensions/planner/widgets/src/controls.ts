// Sliders with number fields, presets, and the sentence that says what is left or what to relax.
import { button, h, on } from './dom';
import { COLUMN, LIMIT_KEYS, loosened, loosenedTogether, type LimitKey, type Loosened } from './figures';
import { planFigures } from './scene';
import type { Session } from './session';
import { count, duration, listed, money, percent, whole } from './text';
import type { Limits } from './types';

interface Kind {
  title: string;
  hint: string;
  unit: string;
  /** From the limit's own unit to that of the field. */
  factor: number;
  text: (value: number) => string;
}

const KINDS: Record<LimitKey, Kind> = {
  max_nodes: {
    title: 'Nodes',
    hint: 'untrusted machines, at most',
    unit: '',
    factor: 1,
    text: n => count(n, 'node')
  },
  budget_usd: { title: 'Budget', hint: 'what all of it may cost', unit: 'USD', factor: 1, text: money },
  deadline_s: { title: 'Deadline', hint: 'until all is done', unit: 's', factor: 1, text: duration },
  max_share: {
    title: 'Share',
    hint: 'of one slide, what one trust domain may hold',
    unit: '%',
    factor: 100,
    text: percent
  },
  max_pair_leak: {
    title: 'Pair leakage',
    hint: 'of all touching patches, what the worst two domains may see together',
    unit: '%',
    factor: 100,
    text: percent
  }
};
const STEPS = 1000; // of a slider; the last one means: no limit
const SPREAD = 30; // largest over smallest value from which a slider goes by factors

class Slider {
  readonly element: HTMLElement;
  private readonly range = h('input', { type: 'range', min: 0, max: STEPS, step: 1 });
  private readonly field = h('input', {
    type: 'number',
    min: 0,
    step: 'any',
    inputmode: 'decimal',
    placeholder: 'no limit'
  });
  private low = 0;
  private high = 1;
  private byFactor = false;

  constructor(
    private readonly session: Session,
    readonly key: LimitKey
  ) {
    const { title, hint, unit } = KINDS[key];
    this.range.setAttribute('aria-label', `${title}, slider`);
    this.field.setAttribute('aria-label', unit ? `${title}, ${unit}` : title);
    this.range.dataset['limit'] = key;
    this.field.dataset['limit'] = key;
    on(this.range, { input: () => this.set(this.valueAt(Number(this.range.value))) });
    on(this.field, { change: () => this.typed() });
    this.element = h(
      'div',
      { class: 'slider' },
      h('div', { class: 'name' }, h('strong', {}, title), h('small', {}, hint)),
      this.range,
      h('span', { class: 'field' }, this.field, h('span', { class: 'unit' }, unit))
    );
    this.measure();
  }

  /** The range of this figure over all plans. */
  measure(): void {
    const values = this.session.figures[COLUMN[this.key]];
    this.low = values.reduce((least, value) => Math.min(least, value), Infinity);
    this.high = values.reduce((most, value) => Math.max(most, value), 0);
    this.byFactor = this.low > 0 && this.high / this.low > SPREAD;
    const unknown = this.key === 'max_pair_leak' && !this.session.figures.leaks;
    this.range.disabled = this.field.disabled = unknown || !values.length;
    this.element.title = unknown ? 'This study does not know which patches touch.' : '';
    if (this.key === 'max_nodes' && values.length) {
      this.range.max = String(Math.max(this.high - this.low, 0) + 1);
    }
    this.draw();
  }

  draw(): void {
    const value = this.session.limits[this.key] ?? null;
    const { text, factor } = KINDS[this.key];
    this.range.value = String(value === null ? this.range.max : this.stepOf(value));
    this.range.setAttribute('aria-valuetext', value === null ? 'no limit' : `at most ${text(value)}`);
    this.element.classList.toggle('set', value !== null);
    const shown = value === null ? '' : String(Number((value * factor).toPrecision(6)));
    if (this.field.value !== shown) this.field.value = shown;
  }

  focus(): void {
    this.range.focus();
  }

  private typed(): void {
    const { text, factor } = KINDS[this.key];
    const value = this.field.value === '' ? null : Number(this.field.value) / factor;
    const wrong = value !== null && !(value >= 0);
    this.field.setCustomValidity(wrong ? `Zero or more, as ${text(this.high)}.` : '');
    this.field.reportValidity();
    if (!wrong) this.set(value);
  }

  private set(value: number | null): void {
    const limits: Limits = { ...this.session.limits };
    if (value === null) delete limits[this.key];
    else limits[this.key] = value;
    this.session.limit(limits);
  }

  private valueAt(step: number): number | null {
    if (step >= Number(this.range.max)) return null;
    if (this.key === 'max_nodes') return this.low + step;
    const along = step / STEPS;
    const value = this.byFactor
      ? this.low * (this.high / this.low) ** along
      : this.low + (this.high - this.low) * along;
    return roundedUp(value);
  }

  private stepOf(value: number): number {
    if (this.key === 'max_nodes') return Math.min(Math.max(value - this.low, 0), Number(this.range.max));
    const along = this.byFactor
      ? Math.log(Math.max(value, 1e-12) / this.low) / Math.log(this.high / this.low)
      : (value - this.low) / (this.high - this.low || 1);
    return Math.round(Math.min(Math.max(along, 0), 1) * STEPS);
  }
}

/** To three digits, never below the value. */
function roundedUp(value: number): number {
  if (value <= 0) return 0;
  const step = 10 ** (Math.floor(Math.log10(value)) - 2);
  return Number((Math.ceil(value / step - 1e-9) * step).toPrecision(6));
}

export class Controls {
  readonly element: HTMLElement;
  private readonly sliders: Slider[];
  private readonly presets = h('div', {
    class: 'presets',
    role: 'group',
    'aria-label': 'Limits to start from'
  });
  private readonly left = h('div', { class: 'left' });
  private readonly glance = h('p', { class: 'glance' });

  constructor(private readonly session: Session) {
    this.sliders = LIMIT_KEYS.map(key => new Slider(session, key));
    this.element = h(
      'section',
      { class: 'card controls', 'aria-labelledby': 'limits-title' },
      h('h3', { id: 'limits-title' }, 'Your limits'),
      this.presets,
      ...this.sliders.map(slider => slider.element),
      this.left,
      this.glance
    );
    session.listen(change => {
      if (change !== 'study') return;
      this.sliders.forEach(slider => slider.measure());
      this.drawPresets();
    });
    session.drawOn(['study', 'limits', 'selected'], () => this.draw());
    this.drawPresets();
    this.draw();
  }

  private drawPresets(): void {
    const { session } = this;
    const none = { id: 'none', title: 'No limits', limits: {} };
    this.presets.replaceChildren(
      ...[none, ...session.study.presets].map(preset =>
        button(preset.title, () => session.limit({ ...preset.limits }), {
          class: 'chip',
          'data-preset': preset.id
        })
      )
    );
  }

  private draw(): void {
    const { session } = this;
    this.sliders.forEach(slider => slider.draw());
    for (const pick of this.presets.querySelectorAll<HTMLElement>('button')) {
      const preset = session.study.presets.find(one => one.id === pick.dataset['preset']);
      pick.setAttribute('aria-pressed', String(same(preset?.limits ?? {}, session.limits)));
    }
    this.glance.replaceChildren(
      ...(session.plan ? ['Chosen now: ', h('strong', {}, planFigures(session.plan))] : [])
    );
    const total = session.figures.count;
    this.left.classList.toggle('none', total > 0 && !session.kept);
    this.left.replaceChildren(
      session.kept || !total
        ? h('span', {}, `${whole(session.kept)} of ${count(total, 'plan')} keep to these limits.`)
        : this.refusal()
    );
  }

  /** Nothing is left: which slider would bring a plan back, and to what. */
  private refusal(): HTMLElement {
    const { session } = this;
    const alone = loosened(session.figures, session.limits);
    const together = alone.length ? [] : loosenedTogether(session.figures, session.limits);
    const set = (changes: Loosened[]) => () => {
      const values = changes.map(({ key, value }) => [key, ceiling(key, value)] as const);
      session.limit({ ...session.limits, ...Object.fromEntries(values) });
      this.sliders.find(slider => slider.key === changes[0]?.key)?.focus();
    };
    const buttons = alone.length
      ? alone.map(one => button(sentence(one), set([one]), { class: 'chip' }))
      : [button(listed(together.map(sentence)), set(together), { class: 'chip' })];
    return h(
      'div',
      { role: 'alert' },
      h('strong', {}, 'No plan keeps to all of these limits. '),
      alone.length > 1 ? 'Relax one of them: ' : 'Relax ',
      h('span', { class: 'presets' }, ...buttons)
    );
  }
}

function sentence({ key, value }: Loosened): string {
  const { title, text } = KINDS[key];
  return `${title} to ${text(ceiling(key, value))}`;
}

function ceiling(key: LimitKey, value: number): number {
  return key === 'max_nodes' ? value : roundedUp(value);
}

function same(one: Limits, other: Limits): boolean {
  return LIMIT_KEYS.every(key => (one[key] ?? null) === (other[key] ?? null));
}
