/** Which rows are chosen: the usual rules of click, Ctrl, Shift and the keyboard. */
import { useCallback, useRef } from 'react';

import type { Core } from '../core';
import type { Entry } from '../shared/types';
import { useStore } from '../shared/store';
import type { Rows } from '../shared/pages';

export interface Selection {
  chosen: ReadonlySet<string>;
  only: (index: number) => void;
  toggle: (index: number) => void;
  /** From the last anchor to here. */
  range: (index: number) => void;
  all: () => void;
  clear: () => void;
}

export function useSelection(core: Core, rows: Rows<Entry>): Selection {
  const selection = useStore(core.selection);
  const anchor = useRef(0);
  const current = useRef(rows);
  current.current = rows;
  const between = useCallback((from: number, to: number): Entry[] => {
    const found: Entry[] = [];
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++) {
      const entry = current.current.at(i);
      if (entry) {
        found.push(entry);
      }
    }
    return found;
  }, []);
  return {
    chosen: new Set(selection.map(entry => entry.id)),
    only: index => {
      anchor.current = index;
      core.selection.set(between(index, index));
    },
    toggle: index => {
      anchor.current = index;
      const entry = current.current.at(index);
      if (entry) {
        core.selection.update(items =>
          items.some(item => item.id === entry.id)
            ? items.filter(item => item.id !== entry.id)
            : [...items, entry]
        );
      }
    },
    range: index => core.selection.set(between(anchor.current, index)),
    all: () => core.selection.set(between(0, current.current.total - 1)),
    clear: () => core.selection.set([])
  };
}
