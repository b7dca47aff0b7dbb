// What anywidget loads: the view follows the traits of `StudyView`, and sends back what a person chooses.
import { mountStudy } from './mount';
import type { Limits, Study, StudyHandle } from './types';

interface Model {
  get(name: '_study'): string;
  get(name: 'selected'): number | null;
  get(name: 'limits'): Limits;
  get(name: 'show_prices'): boolean;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, heard: () => void): void;
  off(event: string, heard: () => void): void;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const send = (name: string, value: unknown): void => {
    model.set(name, value);
    model.save_changes();
  };
  const view = mountStudy(el, studyOf(model), {
    selected: model.get('selected'),
    limits: model.get('limits'),
    showPrices: model.get('show_prices'),
    onSelect: plan => send('selected', plan),
    onLimits: limits => send('limits', limits)
  });
  const heard: [string, () => void][] = [
    ['change:_study', () => view.update(studyOf(model))],
    ['change:limits', () => view.limit(model.get('limits'))],
    ['change:show_prices', () => view.showPrices(model.get('show_prices'))],
    ['change:selected', () => follow(view, model.get('selected'))]
  ];
  heard.forEach(([event, act]) => model.on(event, act));
  return () => {
    heard.forEach(([event, act]) => model.off(event, act));
    view.dispose();
  };
}

function studyOf(model: Model): Study {
  return JSON.parse(model.get('_study')) as Study;
}

function follow(view: StudyHandle, selected: number | null): void {
  if (selected !== null) view.select(selected);
}

/** A page that `StudyView.to_html` wrote carries its study in a script element of this kind. */
function mountPage(): void {
  for (const source of document.querySelectorAll('script[type="application/voxelhub-study+json"]')) {
    const place = document.createElement('div');
    source.after(place);
    mountStudy(place, JSON.parse(source.textContent ?? ''));
  }
}

mountPage();

export default { render };
