// What each provider would see of the slide on the map: the patches it holds, and what it could put together of them.
import { h } from './dom';
import { partiesOf, type Party } from './plan';
import type { Session } from './session';
import { count, listed, percent } from './text';
import { themeOf } from './theme';
import { drawSlide, picture } from './tissue';
import type { Sight, Slide } from './types';

const HIGHEST = 210; // CSS pixels of a picture

export class Sights {
  readonly element: HTMLElement;
  private readonly lead = h('p', { class: 'lead' });
  private readonly grid = h('div', { class: 'sights' });
  private readonly watcher: ResizeObserver;
  private redraw: (() => void)[] = [];

  constructor(
    private readonly session: Session,
    private readonly host: HTMLElement
  ) {
    this.element = h(
      'section',
      { class: 'card wide', 'aria-labelledby': 'sights-title' },
      h('h3', { id: 'sights-title' }, 'What each provider would see'),
      this.lead,
      this.grid
    );
    this.watcher = new ResizeObserver(() => this.redraw.forEach(draw => draw()));
    this.watcher.observe(this.grid);
    session.drawOn(['study', 'selected', 'slide'], () => this.draw());
    session.drawOn(['theme'], () => this.redraw.forEach(draw => draw()));
    this.draw();
  }

  dispose(): void {
    this.watcher.disconnect();
  }

  private draw(): void {
    const { plan, study, slide } = this.session;
    const shown = this.session.shownSlide;
    this.element.hidden = !plan || !shown;
    this.redraw = [];
    if (!plan || !shown) return;
    const parties = partiesOf(study, plan, slide);
    this.lead.textContent = this.leadText(shown, parties);
    this.grid.replaceChildren(
      ...parties.filter(party => !party.trusted).map(party => this.card(shown, party))
    );
    this.redraw.forEach(draw => draw());
  }

  private leadText(slide: Slide, parties: Party[]): string {
    const trusted = parties.filter(party => party.trusted);
    const kept = trusted.length
      ? ` ${listed(trusted.map(party => `${percent(party.share)} stay with ${party.name}`))}, whom you trust.`
      : '';
    if (trusted.length === parties.length)
      return `Nobody but ${listed(trusted.map(party => party.name))} sees anything of ${slide.title}.`;
    const pixels = this.session.study.sights.length
      ? ' Whoever runs a machine can look at every patch on it. Below is what each can do with them: lay matching borders side by side, knowing no place.'
      : ' Whoever runs a machine can look at every patch on it. The slide’s pixels were not given, so what could be put together of them was not tried: give the slide itself, and it is.';
    return `${slide.title}.${pixels}${kept}`;
  }

  private card(slide: Slide, party: Party): HTMLElement {
    const sight = this.session.study.sights.find(
      one =>
        one.slide === slide.id &&
        one.fragments.length === party.fragments.length &&
        one.fragments.every(n => party.fragments.includes(n))
    );
    const places = listed([...new Set(party.nodes.map(node => node.location).filter(Boolean))]);
    const nodes = `${listed(party.nodes.map(node => node.id))}${places ? `, ${places}` : ''}`;
    return h(
      'article',
      { class: 'sight', 'aria-label': party.name },
      h('h4', {}, party.name),
      h(
        'p',
        { class: 'note' },
        `${count(party.patches, 'patch', 'patches')}, ${percent(party.share)} of the slide, on ${nodes}`
      ),
      h(
        'div',
        { class: 'pair' },
        this.original(slide, party),
        sight ? reconstruction(sight) : h('div', { class: 'figure empty' }, this.without())
      ),
      sight && h('p', {}, sightText(sight))
    );
  }

  private without(): string {
    return this.session.study.sights.length
      ? 'Not tried for these fragments: only the sets that most plans hold are.'
      : 'No pixels were given: nothing was tried.';
  }

  private original(slide: Slide, party: Party): HTMLElement {
    if (!slide.cells.length)
      return h('div', { class: 'figure empty' }, 'The places of its patches are not known here.');
    const canvas = h('canvas', {
      role: 'img',
      'aria-label': `Places of the ${party.patches} patches that ${party.name} holds`
    });
    const figure = h(
      'figure',
      { class: 'figure' },
      canvas,
      h('figcaption', {}, 'Its patches in their true places')
    );
    this.redraw.push(() =>
      drawSlide(canvas, figure.clientWidth || HIGHEST, HIGHEST, {
        slide,
        theme: themeOf(this.host),
        image: picture(slide.thumbnail, () => this.redraw.forEach(draw => draw())),
        onlyPainted: true,
        cover: 0,
        paint: fragment => (party.fragments.includes(fragment) ? { colour: '#7f5fc7', mark: 0 } : null)
      })
    );
    return figure;
  }
}

function reconstruction(sight: Sight): HTMLElement {
  const image = h('img', {
    alt: `What can be laid together of ${sight.patches} patches: ${sightText(sight)}`
  });
  if (sight.picture.startsWith('data:image/')) image.src = sight.picture;
  return h('figure', { class: 'figure' }, image, h('figcaption', {}, 'What it can lay together'));
}

/** Recall and precision in words. */
export function sightText({ recall, precision }: Sight): string {
  if (recall === 0)
    return 'On the part that was tried it finds no two neighbours: what it lays together is wrong.';
  const found = `On the part that was tried it finds ${percent(recall)} of all neighbours`;
  const how =
    recall < 0.02
      ? 'next to nothing'
      : recall < 0.15
        ? 'scattered pairs, no tissue as a whole'
        : recall < 0.5
          ? 'whole pieces of tissue'
          : 'most of the tissue as it was';
  return `${found}: ${how}. Of the joints it makes, ${percent(precision)} are right; wrong ones are marked red.`;
}
