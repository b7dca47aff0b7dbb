/**
 * The virtualised table as an ARIA grid: only the rows on show exist, yet a screen reader knows their number and
 * place. One row at a time takes the focus (roving tabindex); the focused row is never removed by scrolling.
 */
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';

import type { Core } from '../core';
import type { EntryQuery } from '../shared/api';
import type { Entry } from '../shared/types';
import { Button } from '../shared/components';
import { Icon } from '../shared/icons';
import type { PagedRows, Rows } from '../shared/pages';
import { useStore } from '../shared/store';
import { COLUMNS, TEMPLATE } from './columns';
import type { Selection } from './selection';

const ROW = 30; // px

export interface GridProps {
  core: Core;
  pages: PagedRows<Entry, EntryQuery>;
  rows: Rows<Entry>;
  selection: Selection;
  sort: string;
  onSort: (column: string) => void;
  onOpen: (entry: Entry) => void;
  onTrash: () => void;
  onMenu: (x: number, y: number) => void;
}

function Header({
  sort,
  onSort,
  checked,
  onAll
}: {
  sort: string;
  onSort: (column: string) => void;
  checked: boolean;
  onAll: (on: boolean) => void;
}): JSX.Element {
  const descending = sort.startsWith('-');
  const by = sort.replace(/^-/, '');
  return (
    <div className="vx-Grid-header" role="row" aria-rowindex={1} style={{ gridTemplateColumns: TEMPLATE }}>
      <div role="columnheader">
        <input
          type="checkbox"
          aria-label="Select all rows"
          checked={checked}
          onChange={e => onAll(e.target.checked)}
        />
      </div>
      {COLUMNS.map(column => (
        <div
          key={column.id}
          role="columnheader"
          className={column.numeric ? 'vx-mod-numeric' : ''}
          aria-sort={
            !column.sortable ? undefined : by !== column.id ? 'none' : descending ? 'descending' : 'ascending'
          }
        >
          {column.sortable ? (
            <button
              type="button"
              className="vx-Grid-sort"
              data-testid={`sort-${column.id}`}
              onClick={() => onSort(column.id)}
            >
              {column.title}
              {by === column.id && <Icon name={descending ? 'down' : 'up'} />}
            </button>
          ) : (
            column.title
          )}
        </div>
      ))}
      <div role="columnheader">
        <span className="vx-Hidden">Actions</span>
      </div>
    </div>
  );
}

export function Grid(props: GridProps): JSX.Element {
  const { core, pages, rows, selection } = props;
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const wantsFocus = useRef(false);
  const highlighted = useStore(core.highlighted);
  useStore(core.vocabulary);
  useStore(core.me);
  const virtual = useVirtualizer({
    count: rows.total,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
    rangeExtractor: range => {
      const shown = defaultRangeExtractor(range);
      return active < rows.total && !shown.includes(active)
        ? [...shown, active].sort((a, b) => a - b)
        : shown;
    }
  });
  const items = virtual.getVirtualItems();
  const shown = virtual.range;
  useEffect(() => {
    if (shown) {
      pages.show(Math.max(0, shown.startIndex - 12), Math.min(rows.total - 1, shown.endIndex + 12));
    }
  }, [pages, rows, shown?.startIndex, shown?.endIndex]);
  useEffect(() => {
    if (active >= rows.total && rows.total > 0) {
      setActive(rows.total - 1);
    }
  }, [active, rows.total]);
  useEffect(() => {
    if (wantsFocus.current) {
      wantsFocus.current = false;
      box.current?.querySelector<HTMLElement>(`[data-index="${active}"]`)?.focus({ preventScroll: true });
    }
  });

  const move = (to: number, extend: boolean, select: boolean): void => {
    const index = Math.max(0, Math.min(rows.total - 1, to));
    virtual.scrollToIndex(index);
    wantsFocus.current = true;
    setActive(index);
    if (extend) {
      selection.range(index);
    } else if (select) {
      selection.only(index);
    }
  };
  const onKey = (event: React.KeyboardEvent): void => {
    if ((event.target as HTMLElement).getAttribute('role') !== 'row') {
      return;
    }
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 300) / ROW) - 2);
    const steps: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: rows.total - 1
    };
    const entry = rows.at(active);
    if (event.key in steps) {
      move(steps[event.key]!, event.shiftKey, !event.ctrlKey);
    } else if (event.key === ' ') {
      selection.toggle(active);
    } else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
      selection.all();
    } else if (event.key === 'Escape') {
      selection.clear();
    } else if (event.key === 'Enter' && entry) {
      props.onOpen(entry);
    } else if (event.key === 'Delete') {
      props.onTrash();
    } else if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      const place = (event.target as HTMLElement).getBoundingClientRect();
      openMenu(active, place.left + 60, place.bottom);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const openMenu = (index: number, x: number, y: number): void => {
    const entry = rows.at(index);
    if (entry && !selection.chosen.has(entry.id)) {
      selection.only(index);
    }
    setActive(index);
    props.onMenu(x, y);
  };
  const onClick = (event: React.MouseEvent, index: number): void => {
    setActive(index);
    if (event.shiftKey) {
      selection.range(index);
    } else if (event.ctrlKey || event.metaKey) {
      selection.toggle(index);
    } else {
      selection.only(index);
    }
  };
  const allChosen = rows.total > 0 && selection.chosen.size >= rows.total;

  return (
    <div
      ref={box}
      className="vx-Grid"
      role="grid"
      aria-label="Workspace"
      aria-multiselectable="true"
      aria-rowcount={rows.total + 1}
      aria-colcount={COLUMNS.length + 2}
      aria-busy={rows.loading}
      data-testid="workspace-grid"
      onKeyDown={onKey}
    >
      <Header
        sort={props.sort}
        onSort={props.onSort}
        checked={allChosen}
        onAll={on => (on ? selection.all() : selection.clear())}
      />
      <div role="rowgroup" className="vx-Grid-body" style={{ height: virtual.getTotalSize() }}>
        {items.map(item => {
          const entry = rows.at(item.index);
          const chosen = entry !== undefined && selection.chosen.has(entry.id);
          return (
            <div
              key={item.key}
              role="row"
              data-index={item.index}
              data-entry={entry?.id}
              aria-rowindex={item.index + 2}
              aria-selected={chosen}
              tabIndex={item.index === active ? 0 : -1}
              className={`vx-Grid-row${chosen ? ' vx-mod-chosen' : ''}${entry && highlighted.has(entry.dataset_id) ? ' vx-mod-new' : ''}`}
              style={{ gridTemplateColumns: TEMPLATE, height: ROW, transform: `translateY(${item.start}px)` }}
              onClick={e => onClick(e, item.index)}
              onDoubleClick={() => entry && props.onOpen(entry)}
              onContextMenu={e => {
                e.preventDefault();
                e.stopPropagation();
                openMenu(item.index, e.clientX, e.clientY);
              }}
            >
              {entry ? (
                <>
                  <div role="gridcell">
                    <input
                      type="checkbox"
                      tabIndex={-1}
                      aria-label={`Select ${entry.name}`}
                      checked={chosen}
                      onClick={e => e.stopPropagation()}
                      onChange={() => selection.toggle(item.index)}
                    />
                  </div>
                  {COLUMNS.map(column => (
                    <div key={column.id} role="gridcell" className={column.numeric ? 'vx-mod-numeric' : ''}>
                      {column.cell(entry, core)}
                    </div>
                  ))}
                  <div role="gridcell">
                    <Button
                      label={`Actions for ${entry.name}`}
                      icon="more"
                      iconOnly
                      kind="quiet"
                      onClick={e => {
                        e.stopPropagation();
                        const place = e.currentTarget.getBoundingClientRect();
                        openMenu(item.index, place.right - 190, place.bottom + 2);
                      }}
                    />
                  </div>
                </>
              ) : (
                <div role="gridcell" className="vx-Grid-wait" style={{ gridColumn: '1 / -1' }}>
                  …
                </div>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}
