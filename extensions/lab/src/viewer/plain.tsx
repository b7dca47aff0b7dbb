/** Images, tables and text. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';

import { Button, Notice } from '../shared/components';
import { bytes, count } from '../shared/format';
import { Icon } from '../shared/icons';
import { parseSheet, sortRows } from './csv';

const TEXT_LIMIT = 4 * 1024 ** 2;
const ROW = 26; // px

export function ImageView({ blob, name }: { blob: Blob; name: string }): JSX.Element {
  const [url, setUrl] = useState('');
  const [zoom, setZoom] = useState<'fit' | 'full'>('fit');
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return (
    <div className="vx-Viewer" data-testid="image-viewer">
      <div className="vx-Viewer-controls" role="toolbar" aria-label="Viewer">
        <Button label="Fit" kind="quiet" pressed={zoom === 'fit'} onClick={() => setZoom('fit')} />
        <Button label="Full size" kind="quiet" pressed={zoom === 'full'} onClick={() => setZoom('full')} />
      </div>
      <div className={`vx-Image vx-mod-${zoom}`} tabIndex={0}>
        {url && <img src={url} alt={name} />}
      </div>
    </div>
  );
}

export function TextView({ blob, name }: { blob: Blob; name: string }): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    void blob.slice(0, TEXT_LIMIT).text().then(setText);
  }, [blob]);
  return (
    <div className="vx-Viewer" data-testid="text-viewer">
      {blob.size > TEXT_LIMIT && (
        <Notice kind="info">
          The first {bytes(TEXT_LIMIT)} of {bytes(blob.size)} are shown.
        </Notice>
      )}
      <pre className="vx-Text" tabIndex={0} aria-label={name}>
        {text}
      </pre>
    </div>
  );
}

const NOTHING_FROM_ELSEWHERE =
  '<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; ' +
  "style-src 'unsafe-inline'; img-src data:\">";

/** A page that a tool or a person made: it runs no script, loads nothing, and knows nothing of the page around it. */
export function PageView({ blob, name }: { blob: Blob; name: string }): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    void blob.text().then(setText);
  }, [blob]);
  return (
    <div className="vx-Viewer" data-testid="page-viewer">
      {text !== null && (
        <iframe className="vx-Page" title={name} sandbox="" srcDoc={NOTHING_FROM_ELSEWHERE + text} />
      )}
    </div>
  );
}

export function TableView({ blob, name }: { blob: Blob; name: string }): JSX.Element {
  const [text, setText] = useState('');
  const [order, setOrder] = useState<{ column: number; descending: boolean } | null>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void blob.text().then(setText);
  }, [blob]);
  const sheet = useMemo(() => parseSheet(text), [text]);
  const rows = useMemo(
    () => (order ? sortRows(sheet.rows, order.column, order.descending) : sheet.rows),
    [sheet, order]
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 20
  });
  // The same width for every row: a long cell must not move the columns of its row.
  const columns = {
    gridTemplateColumns: `56px repeat(${sheet.header.length}, minmax(110px, 1fr))`,
    minWidth: 72 + 118 * sheet.header.length
  };
  const sort = (column: number): void =>
    setOrder(before => ({ column, descending: before?.column === column && !before.descending }));
  return (
    <div className="vx-Viewer" data-testid="table-viewer">
      <div className="vx-Viewer-controls">
        {count(sheet.rows.length, 'row')}, {count(sheet.header.length, 'column')}
        {sheet.cut && ' (the beginning of a longer table)'}
      </div>
      <div
        ref={box}
        className="vx-Grid"
        role="grid"
        aria-label={name}
        aria-rowcount={rows.length + 1}
        tabIndex={0}
      >
        <div className="vx-Grid-header" role="row" aria-rowindex={1} style={columns}>
          <div role="columnheader">#</div>
          {sheet.header.map((title, column) => (
            <div
              key={column}
              role="columnheader"
              aria-sort={order?.column !== column ? 'none' : order.descending ? 'descending' : 'ascending'}
            >
              <button type="button" className="vx-Grid-sort" title={title} onClick={() => sort(column)}>
                {title}
                {order?.column === column && <Icon name={order.descending ? 'down' : 'up'} />}
              </button>
            </div>
          ))}
        </div>
        <div role="rowgroup" className="vx-Grid-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(item => (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              className="vx-Grid-row"
              style={{ ...columns, height: ROW, transform: `translateY(${item.start}px)` }}
            >
              <div role="rowheader" className="vx-Muted">
                {item.index + 1}
              </div>
              {sheet.header.map((_, column) => (
                <div key={column} role="gridcell" title={rows[item.index]?.[column]}>
                  {rows[item.index]?.[column]}
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
