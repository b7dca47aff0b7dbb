/** State that more than one panel needs: who I am, my projects, the selection, what is new. */
import { Notification } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { Api, asProblem, type ApiError, type ServerInfo } from './shared/api';
import type { BudgetState, Entry, Me, Vocabulary } from './shared/types';
import { Events } from './shared/events';
import { Store } from './shared/store';
import { PlannerState } from './planner/state';
import { UploadManager } from './uploads/manager';

const HIGHLIGHT = 15_000; // ms that new rows stay marked

/** A page of the workspace that some other panel asks for. */
export interface Wanted {
  page: 'rows' | 'trash' | 'quarantine' | 'storage';
  project: string;
  /** Of the quarantine: only what this import held. */
  run?: { id: string; label: string };
  /** Of the rows: only what this batch made. */
  batch?: { id: string; title: string };
}

export class Core {
  readonly api = new Api();
  readonly events = new Events(this.api);
  readonly me = new Store<Me | null>(null);
  readonly vocabulary = new Store<Vocabulary | null>(null);
  readonly server = new Store<ServerInfo | null>(null);
  /** Why the service could not be asked; null while it answers. */
  readonly trouble = new Store<ApiError | null>(null);
  /** Rows chosen in the workspace table, in the order they were chosen. */
  readonly selection = new Store<readonly Entry[]>([]);
  /** Ids of datasets whose rows are new, or were asked for. */
  readonly highlighted = new Store<ReadonlySet<string>>(new Set());
  /** My budgets, and those of my projects, that want attention: 80 % or more is spent. */
  readonly budgets = new Store<readonly BudgetState[]>([]);
  readonly wanted = new Store<Wanted | null>(null);
  /** Files in quarantine that wait for a decision, of those I may see. */
  readonly held = new Store(0);
  readonly uploads = new UploadManager(this.api, this.events, dataset => this.highlight(dataset));
  readonly planner = new PlannerState(this.api);
  /** Carries out a command of JupyterLab, saying why not; the core plugin brings it. */
  execute: (command: string, args?: ReadonlyPartialJSONObject) => void = () => undefined;
  private retry = 0;

  start(): void {
    this.events.start();
    void this.refresh();
    this.events.on('project', () => void this.refreshMe());
    this.events.on('dataset', () => void this.refreshMe());
    this.events.on('upload', () => void this.refreshMe());
    this.events.on('quarantine', () => void this.refreshHeld());
    this.uploads.start();
  }

  /** Asks again who I am; while the service is away, tries until it answers. */
  async refresh(): Promise<void> {
    window.clearTimeout(this.retry);
    try {
      const [me, vocabulary] = await Promise.all([this.api.me(), this.api.vocabulary()]);
      this.me.set(me);
      this.vocabulary.set(vocabulary);
      this.trouble.set(null);
      this.server.set(await this.api.server());
      void this.refreshHeld();
      void this.uploads.adopt(me.name);
    } catch (error) {
      const problem = asProblem(error);
      this.trouble.set(problem);
      if (problem.status === 0 || problem.status >= 500) {
        this.retry = window.setTimeout(() => void this.refresh(), 5000);
      }
    }
  }

  private async refreshMe(): Promise<void> {
    try {
      this.me.set(await this.api.me());
    } catch {
      // The next hint, or the panel that needs it, asks again.
    }
  }

  private async refreshHeld(): Promise<void> {
    try {
      this.held.set((await this.api.quarantine({ limit: 1 })).held);
    } catch {
      // A badge may be late; the page itself says what is wrong.
    }
  }

  highlight(dataset: string): void {
    this.highlighted.update(ids => new Set([...ids, dataset]));
    window.setTimeout(
      () => this.highlighted.update(ids => new Set([...ids].filter(id => id !== dataset))),
      HIGHLIGHT
    );
  }

  /** False when notebooks of this server see the project only after a restart. */
  mounted(project: string): boolean {
    const server = this.server.get();
    return !server || server.projects_mounted.length === 0 || server.projects_mounted.includes(project);
  }

  clinical(project: string): boolean {
    return this.me.get()?.projects.find(({ name }) => name === project)?.open === false;
  }

  report(error: unknown): void {
    const problem = asProblem(error);
    Notification.error([problem.message, problem.fix].filter(Boolean).join(' '), { autoClose: 8000 });
  }
}
