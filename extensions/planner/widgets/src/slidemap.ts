// The slide map: every patch in the colour of its fragment, or of the trust domain that the chosen plan gives it to.
import { button, h, on } from './dom';
import { categoryColour, swatch, TRUSTED } from './palette';
import { domainsOf, partiesOf, type Party } from './plan';
import type { Session } from './session';
import { count, listed, percent } from './text';
import { themeOf } from './theme';
import { drawSlide, picture, type Paint } from './tissue';
import type { Slide } from './types';

export class SlideMap {
  readonly element: HTMLElement;
  private readonly canvas = h('canvas', { role: 'img' });
  private readonly stage = h('div', { class: 'stage map' }, this.canvas);
  private readonly legend = h('ul', { class: 'keys' });
  private readonly said = h('p', { class: 'note', 'aria-live': 'off' });
  private readonly modes: HTMLButtonElement[];
  private readonly chooser = h('div', { class: 'chooser' });
  private readonly watcher: ResizeObserver;
  private byDomain = true;
  private alone: string | null = null;
  private side = 1;

  constructor(
    private readonly session: Session,
    private readonly host: HTMLElement
  ) {
    this.modes = [
      button('By trust domain', () => this.show(true), { 'aria-pressed': 'true' }),
      button('By fragment', () => this.show(false), { 'aria-pressed': 'false' })
    ];
    this.element = h(
      'section',
      { class: 'card', 'aria-labelledby': 'map-title' },
      h(
        'div',
        { class: 'cardhead' },
        h('h3', { id: 'map-title' }, 'Where each patch goes'),
        h('div', { class: 'switch', role: 'group', 'aria-label': 'Colour' }, ...this.modes)
      ),
      this.chooser,
      this.stage,
      this.said,
      this.legend
    );
    on(this.canvas, { pointermove: event => this.hover(event), pointerleave: () => this.say() });
    this.watcher = new ResizeObserver(() => this.paint());
    this.watcher.observe(this.stage);
    session.drawOn(['study', 'selected', 'slide', 'theme'], () => this.draw());
    this.draw();
  }

  dispose(): void {
    this.watcher.disconnect();
  }

  private show(byDomain: boolean): void {
    this.byDomain = byDomain;
    this.alone = null;
    this.modes.forEach((mode, n) => mode.setAttribute('aria-pressed', String((n === 0) === byDomain)));
    this.draw();
  }

  private draw(): void {
    this.drawChooser();
    this.drawLegend();
    this.paint();
    this.say();
  }

  private drawChooser(): void {
    const { slides } = this.session.study;
    this.chooser.hidden = slides.length < 2;
    const select = h(
      'select',
      { 'aria-label': 'Slide' },
      ...slides.map((slide, n) =>
        h('option', { value: n }, `${slide.title} (${count(slide.patches, 'patch', 'patches')})`)
      )
    );
    select.value = String(this.session.slide);
    on(select, { change: () => this.session.showSlide(Number(select.value)) });
    const focused = this.chooser.contains((this.host.getRootNode() as Document | ShadowRoot).activeElement);
    this.chooser.replaceChildren(h('label', {}, 'Slide ', select));
    if (focused) select.focus();
  }

  private parties(): Party[] {
    const { study, plan, slide } = this.session;
    return plan ? partiesOf(study, plan, slide) : [];
  }

  /** Key and paint of each fragment: of itself, or of who holds it. */
  private paints(): Map<number, Paint & { key: string }> {
    const slide = this.session.shownSlide;
    const found = new Map<number, Paint & { key: string }>();
    if (!this.byDomain || !this.session.plan) {
      slide?.fragments.forEach((_, n) =>
        found.set(n, { colour: categoryColour(n), mark: n, key: String(n) })
      );
      return found;
    }
    const domains = domainsOf(this.session.study).filter(name => !this.isTrusted(name));
    for (const party of this.parties()) {
      const place = domains.indexOf(party.name);
      const paint = party.trusted
        ? { colour: TRUSTED, mark: 0, key: party.name }
        : { colour: categoryColour(place), mark: place + 1, key: party.name };
      party.fragments.forEach(fragment => found.set(fragment, paint));
    }
    return found;
  }

  private isTrusted(domain: string): boolean {
    return this.session.study.nodes.every(node => node.trust_domain !== domain || node.trusted);
  }

  private paint(): void {
    const slide = this.session.shownSlide;
    this.stage.hidden = !slide?.cells.length;
    if (!slide?.cells.length || !this.stage.clientWidth) return;
    const paints = this.paints();
    const image = picture(slide.thumbnail, () => this.paint());
    this.side = drawSlide(this.canvas, this.stage.clientWidth, 420, {
      slide,
      image,
      theme: themeOf(this.host),
      cover: 0.62,
      paint: fragment => {
        const paint = paints.get(fragment) ?? null;
        return this.alone === null || paint?.key === this.alone ? paint : null;
      }
    });
    this.canvas.setAttribute('aria-label', this.description());
  }

  private description(): string {
    const slide = this.session.shownSlide;
    if (!slide) return '';
    const parts = this.parties().map(party => `${party.name} ${percent(party.share)}`);
    return `Map of ${slide.title}: ${slide.columns} by ${slide.rows} patches, ${slide.patches} with tissue. ${parts.length ? `Held by ${listed(parts)}.` : ''}`;
  }

  private drawLegend(): void {
    const entries = this.byDomain && this.session.plan ? this.domainEntries() : this.fragmentEntries();
    this.legend.replaceChildren(
      ...entries.map(({ key, paint, text }) => {
        const pick = button('', () => this.isolate(key), {
          'aria-pressed': String(this.alone === key),
          class: 'key'
        });
        pick.title = 'Show this one alone';
        pick.append(swatch(paint.mark, paint.colour), h('span', {}, text));
        return h('li', {}, pick);
      })
    );
  }

  private isolate(key: string): void {
    this.alone = this.alone === key ? null : key;
    for (const pick of this.legend.querySelectorAll('button')) pick.setAttribute('aria-pressed', 'false');
    this.draw();
    this.legend.querySelector<HTMLButtonElement>('[aria-pressed=true]')?.focus();
  }

  private domainEntries(): { key: string; paint: Paint; text: string }[] {
    const paints = this.paints();
    return this.parties().map(party => ({
      key: party.name,
      paint: paints.get(party.fragments[0]!)!,
      text: `${party.name}${party.trusted ? ' (trusted: nobody else sees it)' : ''}: ${percent(party.share)}`
    }));
  }

  private fragmentEntries(): { key: string; paint: Paint; text: string }[] {
    const slide = this.session.shownSlide;
    return (slide?.fragments ?? []).map((patches, n) => ({
      key: String(n),
      paint: { colour: categoryColour(n), mark: n },
      text: `Fragment ${n + 1}: ${count(patches, 'patch', 'patches')}`
    }));
  }

  private say(text = ''): void {
    const slide = this.session.shownSlide;
    if (!slide) return;
    const sampled = slide.sampled
      ? ` Shown are ${count(slide.cells.length, 'patch', 'patches')} of them, drawn by chance.`
      : '';
    const places = slide.thumbnail ? '' : withoutPixels(slide);
    this.said.textContent =
      text || `${count(slide.patches, 'patch', 'patches')} with tissue.${sampled}${places}`;
  }

  private hover(event: PointerEvent): void {
    const slide = this.session.shownSlide;
    const box = this.canvas.getBoundingClientRect();
    if (!slide) return;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map(at => Math.floor(at / this.side));
    const n = slide.cells.findIndex(cell => cell[0] === x && cell[1] === y);
    if (n < 0) return this.say();
    const fragment = slide.labels[n] ?? 0;
    const node = this.session.plan?.assignment[this.session.slide]?.[fragment];
    const owner = this.session.study.nodes.find(one => one.id === node);
    this.say(
      `Column ${x! + 1}, row ${y! + 1}: fragment ${fragment + 1}${owner ? `, on ${owner.id} of ${owner.trust_domain}` : ''}.`
    );
  }
}

function withoutPixels(slide: Slide): string {
  return slide.cells.length
    ? ' No pixels of this slide were given, so only the places of its patches are drawn.'
    : ' Neither its pixels nor the places of its patches were given, so there is no map: only who holds how much.';
}
