/**
 * The one event stream of this page: browsers allow six connections to a host, all tabs together.
 *
 * An event is a hint that something changed; whoever listens reads the object again. After a reconnect all
 * listeners are called once, because hints may have been missed.
 */
import type { Api } from './api';
import { Store } from './store';

export type Topic = 'run' | 'upload' | 'dataset' | 'project';
export interface Hint {
  topic: Topic;
  /** Id of what changed; empty after a reconnect: anything may have. */
  subject: string;
}

const TOPICS: readonly Topic[] = ['run', 'upload', 'dataset', 'project'];
const LONGEST_WAIT = 30_000; // ms

export class Events {
  readonly connected = new Store(false);
  private readonly listeners = new Map<Topic, Set<(hint: Hint) => void>>();
  private source: EventSource | null = null;
  private wait = 1000;
  private opened = false;

  constructor(private readonly api: Api) {}

  /** Calls `listener` for each hint of the topic until the returned function is called. */
  on(topic: Topic, listener: (hint: Hint) => void): () => void {
    const listeners = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  start(): void {
    if (this.source) {
      return;
    }
    const source = new EventSource(this.api.eventsUrl());
    this.source = source;
    source.onopen = () => {
      this.connected.set(true);
      this.wait = 1000;
      if (this.opened) {
        TOPICS.forEach(topic => this.tell({ topic, subject: '' }));
      }
      this.opened = true;
    };
    source.onmessage = event => this.receive(event as MessageEvent<string>);
    TOPICS.forEach(topic =>
      source.addEventListener(topic, event => this.receive(event as MessageEvent<string>, topic))
    );
    source.onerror = () => {
      this.connected.set(false);
      source.close();
      this.source = null;
      window.setTimeout(() => this.start(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    };
  }

  private receive(event: MessageEvent<string>, topic?: Topic): void {
    try {
      const data = JSON.parse(event.data) as { topic?: Topic; subject?: string };
      const known = topic ?? data.topic;
      if (known) {
        this.tell({ topic: known, subject: data.subject ?? '' });
      }
    } catch {
      // A comment or a message of a newer service: hints may be missed, never misread.
    }
  }

  private tell(hint: Hint): void {
    this.listeners.get(hint.topic)?.forEach(listener => listener(hint));
  }
}
