/** Reading from the service inside a component. */
import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';

import { asProblem, type ApiError } from './api';

export interface Loaded<T> {
  value: T | null;
  problem: ApiError | null;
  loading: boolean;
  reload: () => void;
}

/** Loads when `keys` change and on `reload`; an answer that comes too late is dropped. */
export function useLoaded<T>(load: () => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value: T | null; problem: ApiError | null; loading: boolean }>({
    value: null,
    problem: null,
    loading: true
  });
  const turn = useRef(0);
  const loader = useRef(load);
  loader.current = load;
  const reload = useCallback(() => {
    const mine = ++turn.current;
    setState(before => ({ ...before, loading: true }));
    loader.current().then(
      value => mine === turn.current && setState({ value, problem: null, loading: false }),
      error =>
        mine === turn.current &&
        setState(before => ({ ...before, problem: asProblem(error), loading: false }))
    );
  }, []);
  useEffect(() => {
    reload();
    return () => {
      turn.current += 1;
    };
  }, keys);
  return { ...state, reload };
}

/** `value` after it has been the same for `wait` milliseconds. */
export function useSettled<T>(value: T, wait: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), wait);
    return () => window.clearTimeout(timer);
  }, [value, wait]);
  return settled;
}

/** The time, in ms, every second while `active`. */
export function useNow(active: boolean, step = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!active) {
      return undefined;
    }
    const timer = window.setInterval(() => setNow(Date.now()), step);
    return () => window.clearInterval(timer);
  }, [active, step]);
  return now;
}

/** The width of an element in px, kept up; 0 until it is known. Drawings keep the size of their letters by it. */
export function useWidth(box: RefObject<HTMLElement>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) {
      return undefined;
    }
    const observer = new ResizeObserver(() => setWidth(Math.round(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return width;
}
