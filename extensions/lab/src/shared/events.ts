/**
 * The one event stream of this page: browsers allow six connections to a host, all tabs together.
 *
 * An event is a hint that something changed; whoever listens reads the object again. After a reconnect all
 * listeners are called once, because hints may have been missed.
 */
import type { Api } from './api';
import { Store } from './store';

const TOPICS = [
  'run',
  'batch',
  'tool',
  'upload',
  'dataset',
  'project',
  'quarantine',
  'cluster',
  'spend'
] as const;
export type Topic = (typeof TOPICS)[number];
export interface Hint {
  topic: Topic;
  /** Id of what changed; empty after a reconnect: anything may have. */
  subject: string;
}

const FIRST_WAIT = 1000; // ms
const LONGEST_WAIT = 30_000; // ms

export class Events {
  readonly connected = new Store(false);
  private readonly listeners = new Map<Topic, Set<(hint: Hint) => void>>();
  private source: EventSource | null = null;
  private wait = FIRST_WAIT;
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
    source.onmessage = event => this.receive(event as MessageEvent<string>);
    source.onerror = () => {
      this.connected.set(false);
      if (source.readyState !== EventSource.CLOSED) {
        return; // the browser reconnects by itself, and says which hint it saw last
      }
      source.close();
      this.source = null;
      window.setTimeout(() => this.start(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    };
    source.onopen = () => {
      this.connected.set(true);
      this.wait = FIRST_WAIT;
    };
  }

  private receive(event: MessageEvent<string>): void {
    try {
      const { topic, subject } = JSON.parse(event.data) as { topic: string; subject: string };
      if (topic === 'reset' || (topic === 'ready' && this.opened)) {
        TOPICS.forEach(each => this.tell({ topic: each, subject: '' }));
      } else if (TOPICS.includes(topic as Topic)) {
        this.tell({ topic: topic as Topic, subject });
      }
      this.opened = true;
    } catch {
      // A message of a newer service: hints may be missed, never misread.
    }
  }

  private tell(hint: Hint): void {
    this.listeners.get(hint.topic)?.forEach(listener => listener(hint));
  }
}
