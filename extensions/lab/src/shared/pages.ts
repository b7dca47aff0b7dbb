/** Rows by position, fetched a page at a time; old rows stay on show while new ones are on their way. */
import { asProblem, type ApiError } from './api';
import { Store } from './store';
import type { Page } from './types';

export const PAGE = 100;
const KEPT = 40; // pages

export interface Rows<T> {
  total: number;
  /** The first page of this query has arrived. */
  ready: boolean;
  loading: boolean;
  problem: ApiError | null;
  at: (index: number) => T | undefined;
}

export class PagedRows<T, Q> {
  readonly rows = new Store<Rows<T>>({
    total: 0,
    ready: false,
    loading: true,
    problem: null,
    at: () => undefined
  });
  private turn = 0;
  private total = 0;
  private pages = new Map<number, T[]>();
  private asked = new Set<number>();
  private visible: [number, number] = [0, PAGE - 1];

  constructor(
    private readonly read: (query: Q, offset: number, limit: number) => Promise<Page<T>>,
    private query: Q
  ) {}

  /** Shows another query; the rows of the old one stay until the first page is here. */
  ask(query: Q): void {
    this.query = query;
    this.visible = [0, PAGE - 1];
    this.reload();
  }

  /** Reads what is on show again. */
  reload(): void {
    this.turn += 1;
    this.asked = new Set();
    const first = Math.floor(this.visible[0] / PAGE);
    const last = Math.floor(this.visible[1] / PAGE);
    this.rows.update(rows => ({ ...rows, loading: true }));
    for (let page = first; page <= last; page++) {
      void this.load(page, page === first);
    }
  }

  /** Fetches what is missing of the rows `from … to`. */
  show(from: number, to: number): void {
    this.visible = [from, Math.max(from, to)];
    for (let page = Math.floor(from / PAGE); page <= Math.floor(Math.max(from, to) / PAGE); page++) {
      if (!this.pages.has(page) && !this.asked.has(page)) {
        void this.load(page, false);
      }
    }
  }

  private async load(page: number, replaces: boolean): Promise<void> {
    const mine = this.turn;
    this.asked.add(page);
    try {
      const answer = await this.read(this.query, page * PAGE, PAGE);
      if (mine !== this.turn) {
        return;
      }
      if (replaces) {
        this.pages = new Map();
      }
      this.pages.set(page, answer.items);
      this.total = answer.total;
      if (this.pages.size > KEPT) {
        this.pages.delete(this.pages.keys().next().value!);
      }
      this.publish(null);
    } catch (error) {
      if (mine === this.turn) {
        this.asked.delete(page);
        this.publish(asProblem(error));
      }
    }
  }

  private publish(problem: ApiError | null): void {
    const { pages, total } = this;
    this.rows.set({
      total,
      ready: problem === null || this.rows.get().ready,
      loading: false,
      problem,
      at: index => pages.get(Math.floor(index / PAGE))?.[index % PAGE]
    });
  }
}
