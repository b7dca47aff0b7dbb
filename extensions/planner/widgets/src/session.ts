// What is shown now: study, limits, chosen plan and slide. Views subscribe and redraw what a change concerns.
import { onceAFrame } from './dom';
import { balanced, figuresOf, keep, type Figures } from './figures';
import type { Limits, Plan, Slide, Study, StudyOptions } from './types';

export type Change = 'study' | 'limits' | 'selected' | 'slide' | 'peers' | 'theme';

export class Session {
  figures!: Figures;
  mask!: Uint8Array;
  kept = 0;
  limits: Limits = {};
  /** Index of the chosen plan; −1 where the front has none. */
  selected = -1;
  /** Index of the slide on the map. */
  slide = 0;
  shownPeers = new Set<string>();
  private listeners: ((change: Change) => unknown)[] = [];

  constructor(
    public study: Study,
    readonly options: StudyOptions
  ) {
    this.take(study, options.limits ?? {}, options.selected ?? null);
  }

  get plan(): Plan | null {
    return this.study.front.plans[this.selected] ?? null;
  }

  get shownSlide(): Slide | null {
    return this.study.slides[this.slide] ?? null;
  }

  listen(heard: (change: Change) => unknown): void {
    this.listeners.push(heard);
  }

  /** Draws once before the next picture on the screen, however many of these changes there were. */
  drawOn(changes: Change[], draw: () => void): void {
    const soon = onceAFrame(draw);
    this.listen(change => changes.includes(change) && soon());
  }

  tell(change: Change): void {
    this.listeners.forEach(heard => heard(change));
  }

  update(study: Study): void {
    this.take(study, this.limits, null);
    this.tell('study');
  }

  select(plan: number, byPerson = true): void {
    if (plan === this.selected || !this.study.front.plans[plan]) return;
    this.selected = plan;
    this.tell('selected');
    if (byPerson) this.options.onSelect?.(plan);
  }

  /** A chosen plan that breaks the new limits gives way to a balanced one that keeps to them. */
  limit(limits: Limits, byPerson = true): void {
    this.limits = limits;
    this.kept = keep(this.figures, limits, this.mask);
    const moved = this.kept > 0 && !this.mask[this.selected];
    if (moved) this.selected = balanced(this.figures, this.mask);
    this.tell('limits');
    if (moved) this.tell('selected');
    if (byPerson) this.options.onLimits?.(limits);
    if (moved) this.options.onSelect?.(this.selected);
  }

  showSlide(slide: number): void {
    this.slide = slide;
    this.tell('slide');
  }

  showPeer(id: string, shown: boolean): void {
    if (shown) this.shownPeers.add(id);
    else this.shownPeers.delete(id);
    this.tell('peers');
  }

  private take(study: Study, limits: Limits, selected: number | null): void {
    if (study?.format !== 'voxelhub-study/1') {
      throw new Error(
        `This is no study that can be shown: its format is ${String(study?.format)}, not voxelhub-study/1.`
      );
    }
    this.study = study;
    this.figures = figuresOf(study.front);
    this.mask = new Uint8Array(this.figures.count);
    this.limits = limits;
    this.kept = keep(this.figures, limits, this.mask);
    this.slide = Math.min(this.slide, Math.max(study.slides.length - 1, 0));
    this.shownPeers = new Set(study.peers.map(peer => peer.id));
    const asked = selected !== null && study.front.plans[selected] ? selected : -1;
    if (!this.kept) this.mask.fill(1);
    this.selected = asked >= 0 ? asked : balanced(this.figures, this.mask);
    if (!this.kept) this.mask.fill(0);
  }
}
