/** The ledger's entries: one for each thing and day. Only the rows on show exist. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef } from 'react';

import type { Core } from '../core';
import { useTopic } from '../clusters/use-clusters';
import type { SpendQuery } from '../shared/api';
import { ProblemNotice } from '../shared/components';
import { bytes, count, duration, hours, money } from '../shared/format';
import { Icon } from '../shared/icons';
import { PagedRows } from '../shared/pages';
import { useStore } from '../shared/store';
import type { LedgerEntry } from '../shared/types';
import { KINDS } from './words';

const ROW = 30; // px
const SEEN = 12; // rows
const CALM = 2000; // ms between two readings

interface Column {
  title: string;
  width: string;
  numeric?: boolean;
  /** Only where entries of several people are shown. */
  others?: boolean;
  cell: (entry: LedgerEntry) => React.ReactNode;
}

const COLUMNS: readonly Column[] = [
  { title: 'Day', width: '84px', cell: entry => entry.day },
  {
    title: 'What',
    width: 'minmax(130px, 2.4fr)',
    cell: entry => (
      <span className="vx-Name" title={`${KINDS[entry.kind].title}: ${entry.title || entry.subject}`}>
        <Icon name={KINDS[entry.kind].icon} />
        <span>{entry.title || entry.subject || KINDS[entry.kind].title}</span>
        {entry.ended_at === null && <span className="vx-Chip vx-mod-live">runs</span>}
      </span>
    )
  },
  { title: 'Person', width: 'minmax(70px, 1fr)', others: true, cell: entry => entry.person },
  { title: 'Project', width: 'minmax(70px, 1fr)', cell: entry => entry.project ?? '–' },
  { title: 'Size', width: 'minmax(70px, 1fr)', cell: entry => entry.profile },
  {
    title: 'Ran',
    width: '84px',
    numeric: true,
    cell: entry => <span title="Of a cluster: all its processes together">{duration(entry.seconds)}</span>
  },
  {
    title: 'CPU h',
    width: '54px',
    numeric: true,
    cell: entry => (
      <span title={`${hours(entry.used_cpu_seconds / 3600)} of them computed`}>
        {hours(entry.core_seconds / 3600)}
      </span>
    )
  },
  {
    title: 'Peak',
    width: '66px',
    numeric: true,
    cell: entry => (entry.peak_memory ? bytes(entry.peak_memory) : '–')
  },
  {
    title: 'An hour',
    width: '64px',
    numeric: true,
    cell: entry =>
      entry.price_per_hour === null ? (
        '–'
      ) : (
        <span title={entry.price_date ? `Price list of ${entry.price_date}` : undefined}>
          {money(entry.price_per_hour, null)}
        </span>
      )
  },
  {
    title: 'Cost',
    width: '88px',
    numeric: true,
    cell: entry => (entry.cost === null ? '–' : money(entry.cost, entry.currency))
  }
];

export function Entries({ core, query }: { core: Core; query: SpendQuery }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const pages = useMemo(
    () =>
      new PagedRows<LedgerEntry, SpendQuery>(
        (wanted, offset, limit) => core.api.spendEntries({ ...wanted, offset, limit }),
        query
      ),
    [core]
  );
  const rows = useStore(pages.rows);
  const columns = COLUMNS.filter(column => !column.others || query.scope !== 'mine');
  const gridTemplateColumns = columns.map(column => column.width).join(' ');
  useEffect(() => pages.ask(query), [pages, JSON.stringify(query)]);
  const reload = useMemo(() => () => pages.reload(), [pages]);
  useTopic(core, 'spend', reload, '', CALM);
  const virtual = useVirtualizer({
    count: rows.total,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: SEEN
  });
  const shown = virtual.range;
  useEffect(() => {
    if (shown) {
      pages.show(Math.max(0, shown.startIndex - SEEN), Math.min(rows.total - 1, shown.endIndex + SEEN));
    }
  }, [pages, rows, shown?.startIndex, shown?.endIndex]);
  return (
    <section className="vx-Section" aria-label="Entries">
      <div className="vx-Section-head">
        <h3>Entries</h3>
        <small className="vx-Muted" role="status" data-testid="spend-count">
          {rows.ready ? count(rows.total, 'entry', 'entries') : ''}
        </small>
      </div>
      {rows.problem && <ProblemNotice problem={rows.problem} onRetry={reload} />}
      <div
        ref={box}
        className="vx-Grid vx-Ledger"
        role="table"
        aria-label="Entries of the ledger"
        aria-rowcount={rows.total + 1}
        aria-busy={rows.loading}
        tabIndex={0}
        data-testid="spend-entries"
      >
        <div className="vx-Grid-header" role="row" aria-rowindex={1} style={{ gridTemplateColumns }}>
          {columns.map(column => (
            <div key={column.title} role="columnheader" className={column.numeric ? 'vx-mod-numeric' : ''}>
              {column.title}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="vx-Grid-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(item => {
            const entry = rows.at(item.index);
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                className="vx-Grid-row"
                data-testid="spend-entry"
                data-kind={entry?.kind}
                style={{
                  gridTemplateColumns,
                  height: ROW,
                  transform: `translateY(${item.start}px)`
                }}
              >
                {entry ? (
                  columns.map(column => (
                    <div key={column.title} role="cell" className={column.numeric ? 'vx-mod-numeric' : ''}>
                      {column.cell(entry)}
                    </div>
                  ))
                ) : (
                  <div role="cell" className="vx-Grid-wait">
                    …
                  </div>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}
