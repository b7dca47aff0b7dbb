/** The clusters of a scope, kept up by the event stream. */
import { useEffect, type RefObject } from 'react';

import type { Core } from '../core';
import { useLoaded, type Loaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import type { Cluster, SpendScope } from '../shared/types';
import { ended } from './words';

const MOST = 100;
const CALM = 250; // ms between two readings: many workers give many hints
const FIGURES = 10_000; // ms: costs and memory grow without a hint
const FALLBACK = 3000; // ms, while the event stream is away

/** Calls `reload` soon after each hint of the topic; several at once are one. */
export function useTopic(
  core: Core,
  topic: 'cluster' | 'spend',
  reload: () => void,
  subject = '',
  calm = CALM
): void {
  useEffect(() => {
    let timer = 0;
    const off = core.events.on(topic, hint => {
      if (!subject || !hint.subject || hint.subject === subject) {
        timer ||= window.setTimeout(() => {
          timer = 0;
          reload();
        }, calm);
      }
    });
    return () => {
      window.clearTimeout(timer);
      off();
    };
  }, [core, topic, reload, subject, calm]);
}

/** `box` tells whether anybody looks: a hidden panel asks for nothing. */
export function useClusters(
  core: Core,
  scope: SpendScope,
  box: RefObject<HTMLElement>
): Loaded<{ items: Cluster[]; total: number }> {
  const connected = useStore(core.events.connected);
  const found = useLoaded(() => core.api.clusters({ scope, limit: MOST }), [scope]);
  const living = found.value?.items.some(cluster => !ended(cluster)) ?? false;
  const { reload } = found;
  useTopic(core, 'cluster', reload);
  useEffect(() => {
    if (connected && !living) {
      return undefined;
    }
    const look = (): void => {
      if (document.visibilityState === 'visible' && box.current?.offsetParent) {
        reload();
      }
    };
    const timer = window.setInterval(look, connected ? FIGURES : FALLBACK);
    return () => window.clearInterval(timer);
  }, [connected, living, reload, box]);
  return found;
}
