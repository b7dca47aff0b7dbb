// What the marks of the front mean, and the switches of the peers.
import { h, on } from './dom';
import { swatch } from './palette';
import { nodesColour, peerColour, type Scene } from './scene';
import type { Session } from './session';
import { percent } from './text';
import { themeOf } from './theme';

export function frontLegend(
  session: Session,
  host: HTMLElement,
  scales: () => Pick<Scene, 'fewest' | 'most'>
): { element: HTMLElement; draw(): void } {
  const element = h('div', { class: 'legend' });
  let drawn = '';
  const draw = (): void => {
    const theme = themeOf(host);
    const key = [theme.dark, session.study.made.seed, session.figures.count, ...session.shownPeers].join();
    if (key === drawn) return;
    drawn = key;
    const scene = { ...scales(), theme };
    const used = [...new Set(session.figures.nodes)].sort((a, b) => a - b);
    const nodes = used.map(n =>
      h(
        'li',
        {},
        swatch(n, nodesColour(scene, n)),
        n === 0 ? 'your own nodes only' : n === 1 ? '1 node' : `${n} nodes`
      )
    );
    const peers = session.study.peers.map((peer, n) => {
      const box = on(h('input', { type: 'checkbox' }), {
        change: () => session.showPeer(peer.id, box.checked)
      });
      box.checked = session.shownPeers.has(peer.id);
      const plans = peer.front.plans.length;
      const text = `${peer.title} (${plans ? `${plans} ${plans === 1 ? 'plan' : 'plans'}` : 'no plan'})`;
      return h('li', {}, h('label', {}, box, peerSwatch(n, theme.dark), text));
    });
    element.replaceChildren(
      h('ul', { 'aria-label': 'Marks: untrusted nodes of a plan' }, ...nodes),
      h('ul', { 'aria-label': 'Other methods, for comparison', hidden: !peers.length }, ...peers),
      h('p', { class: 'note' }, gapText(session))
    );
  };
  return { element, draw };
}

function gapText(session: Session): string {
  const gaps = session.study.front.plans.map(plan => plan.gap);
  const widest = gaps.reduce((most, gap) => Math.max(most, gap), 0);
  if (!gaps.length) return '';
  if (widest === 0) return 'Each plan is proven to be the cheapest with as many nodes and within its time.';
  return (
    'The whisker below a mark ends at the proven bound: no plan with as many nodes and as little time costs less than that. ' +
    `The largest gap here is ${percent(widest)} of a plan’s cost; where no whisker is seen, the proof is tight.`
  );
}

function peerSwatch(n: number, dark: boolean): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '-10 -10 20 20');
  svg.setAttribute('class', 'swatch');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', n % 2 ? 'M-6 -6L6 6M-6 6L6 -6' : 'M-6 -6H6V6H-6Z');
  path.setAttribute('fill', 'none');
  path.setAttribute('stroke', peerColour(n, dark));
  path.setAttribute('stroke-width', '2.4');
  svg.append(path);
  return svg;
}
