// Puts the views together and wires them to one session.
import { Chosen } from './chosen';
import { Controls } from './controls';
import { h } from './dom';
import { ExportBar } from './exportbar';
import { FrontView } from './front';
import { PriceList } from './prices';
import { planText } from './scene';
import { Session, type Change } from './session';
import { Sights } from './sights';
import { SlideMap } from './slidemap';
import { style } from './style';
import { FrontTable, PlanTable } from './tables';
import { count } from './text';
import { followTheme } from './theme';
import type { Study, StudyHandle, StudyOptions } from './types';

/** Draws a study into `root`. Throws an Error with one sentence where it is no `voxelhub-study/1`. */
export function mountStudy(root: HTMLElement, study: Study, options: StudyOptions = {}): StudyHandle {
  const session = new Session(study, options);
  const host = h('div', { class: 'voxelhub-planner-views', 'data-testid': 'planner-views' });
  const shadow = host.attachShadow({ mode: 'open' });
  shadow.adoptedStyleSheets = [style()];
  root.append(host);
  const stopTheme = followTheme(host, () => session.tell('theme'));

  const live = h('p', { class: 'unseen', 'aria-live': 'polite', 'data-testid': 'live' });
  const say = (text: string): void => {
    live.textContent = text;
  };
  const front = new FrontView(session, host);
  const map = new SlideMap(session, host);
  const sights = new Sights(session, host);
  const prices = new PriceList(session);
  const heading = new Heading(session);
  shadow.append(
    h(
      'div',
      { class: 'views' },
      heading.element,
      h('div', { class: 'main' }, front.element, new Controls(session).element),
      h('div', { class: 'main even' }, new Chosen(session).element, map.element),
      sights.element,
      new PlanTable(session).element,
      new FrontTable(session).element,
      prices.element,
      new ExportBar(session, () => front.canvas, say).element,
      live
    )
  );
  session.listen(change => {
    const text = changeText(session, change);
    if (text) say(text);
  });

  return {
    update: next => session.update(next),
    select: plan => session.select(plan, false),
    limit: limits => session.limit(limits, false),
    showPrices: shown => {
      prices.element.open = shown;
    },
    dispose: () => {
      stopTheme();
      [front, map, sights].forEach(view => view.dispose());
      host.remove();
    }
  };
}

/** What the live region says of a change; several changes of one act are said together. */
function changeText(session: Session, change: Change): string {
  const left = session.kept ? `${count(session.kept, 'plan')} left.` : 'No plan keeps to these limits.';
  const chosen = session.plan
    ? `Chosen: plan ${session.selected + 1}, ${planText(session, session.selected)}.`
    : '';
  if (change === 'limits') return left;
  if (change === 'selected') return `${left} ${chosen}`;
  if (change === 'slide') return `Slide ${session.shownSlide?.title ?? ''}.`;
  return change === 'study' ? `New plans. ${left} ${chosen}` : '';
}

class Heading {
  readonly element = h('header', {});

  constructor(private readonly session: Session) {
    session.listen(change => change === 'study' && this.draw());
    this.draw();
  }

  private draw(): void {
    const { slides, front, nodes, warnings } = this.session.study;
    const patches = slides.reduce((total, slide) => total + slide.patches, 0);
    const fragments = slides.reduce((total, slide) => total + slide.fragments.filter(n => n > 0).length, 0);
    const what = `${count(slides.length, 'slide')}, ${count(patches, 'patch', 'patches')} in ${count(fragments, 'fragment')}`;
    const domains = new Set(nodes.map(node => node.trust_domain)).size;
    this.element.replaceChildren(
      h(
        'h2',
        {},
        slides.length === 1 ? `Plans for ${slides[0]!.title}` : `Plans for ${count(slides.length, 'slide')}`
      ),
      h(
        'p',
        { class: 'lead' },
        `${what}, to be sent to ${count(nodes.length, 'node')} of ${count(domains, 'trust domain')} so that no stranger sees a whole slide: ${count(front.plans.length, 'plan')} to choose from.`
      ),
      h(
        'ul',
        { class: 'warnings', 'aria-label': 'Read this first', hidden: !warnings.length },
        ...warnings.map(text => h('li', {}, text))
      )
    );
  }
}
