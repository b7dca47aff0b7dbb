/** Spend by day as stacked bars; the same figures as a table for who reads or hears them. */
import { useRef, useState } from 'react';

import { Button } from '../shared/components';
import { useWidth } from '../shared/hooks';
import type { SpendDay, SpendKind } from '../shared/types';
import { amountText, KIND_ORDER, KINDS, valueOf, type Measure } from './words';

const [NARROWEST, HEIGHT] = [260, 210]; // px
const PAD = { left: 46, right: 4, top: 10, bottom: 22 };
const GAP = 2; // between two parts of a bar

/** A round number not below `most`, in steps of 1, 2 and 5. */
export function niceTop(most: number): number {
  if (most <= 0) {
    return 1;
  }
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map(step => step * power).find(step => step >= most * 0.999)!;
}

type Table = Map<string, Map<SpendKind, number>>;

function tabulated(days: readonly SpendDay[], measure: Measure): Table {
  const table: Table = new Map();
  for (const one of days) {
    const row = table.get(one.day) ?? new Map<SpendKind, number>();
    table.set(one.day, row.set(one.kind, (row.get(one.kind) ?? 0) + valueOf(one, measure)));
  }
  return table;
}

function total(row: ReadonlyMap<SpendKind, number> | undefined): number {
  return row ? [...row.values()].reduce((sum, value) => sum + value, 0) : 0;
}

interface Props {
  month: readonly string[];
  days: readonly SpendDay[];
  measure: Measure;
  currency: string | null;
}

function Bars({ month, measure, currency, table }: Props & { table: Table }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = Math.max(NARROWEST, useWidth(box));
  const top = niceTop(Math.max(...month.map(day => total(table.get(day)))));
  const [inner, base] = [width - PAD.left - PAD.right, HEIGHT - PAD.bottom];
  const slot = inner / month.length;
  const y = (value: number): number => base - (value / top) * (base - PAD.top);
  const bar = (day: string, n: number): JSX.Element => {
    let below = 0;
    const parts = KIND_ORDER.map(kind => {
      const value = table.get(day)?.get(kind) ?? 0;
      const from = y(below);
      below += value;
      return { kind, value, from, to: y(below) };
    }).filter(part => part.from - part.to > 0.2);
    const words = parts.map(p => `${KINDS[p.kind].title} ${amountText(p.value, measure, currency)}`);
    return (
      <g key={day} className="vx-Bars-day">
        <rect
          x={PAD.left + n * slot}
          y={PAD.top}
          width={slot}
          height={base - PAD.top}
          className="vx-Bars-hit"
        />
        {parts.map((part, at) => (
          <rect
            key={part.kind}
            className={`vx-mod-${part.kind}`}
            x={PAD.left + n * slot + slot * 0.16}
            width={slot * 0.68}
            y={part.to}
            height={Math.max(0.8, part.from - part.to - (at > 0 ? GAP : 0))}
            rx={at === parts.length - 1 ? 1.5 : 0}
          />
        ))}
        <title>{words.length ? `${day}: ${words.join(', ')}` : `${day}: nothing`}</title>
      </g>
    );
  };
  return (
    <div ref={box}>
      <svg
        width={width}
        height={HEIGHT}
        className="vx-Bars"
        role="img"
        aria-label="Spend by day; the button shows it as a table"
        data-testid="spend-chart"
      >
        {[0, 0.5, 1].map(part => (
          <g key={part}>
            <line x1={PAD.left} x2={width - PAD.right} y1={y(top * part)} y2={y(top * part)} />
            <text x={PAD.left - 6} y={y(top * part) + 4} textAnchor="end">
              {(top * part).toLocaleString('en-GB', { maximumSignificantDigits: 3 })}
            </text>
          </g>
        ))}
        {month.map(bar)}
        {month.map(
          (day, n) =>
            (n === 0 || (n + 1) % 5 === 0) && (
              <text key={day} x={PAD.left + (n + 0.5) * slot} y={HEIGHT - 6} textAnchor="middle">
                {n + 1}
              </text>
            )
        )}
      </svg>
    </div>
  );
}

function DayTable({
  measure,
  currency,
  table,
  kinds
}: Props & { table: Table; kinds: SpendKind[] }): JSX.Element {
  const figure = (value: number): string => (value ? amountText(value, measure, currency) : '–');
  return (
    <div className="vx-Scroll" tabIndex={0}>
      <table className="vx-Table" data-testid="spend-day-table">
        <thead>
          <tr>
            <th scope="col">Day</th>
            {kinds.map(kind => (
              <th key={kind} scope="col" className="vx-mod-numeric">
                {KINDS[kind].title}
              </th>
            ))}
            <th scope="col" className="vx-mod-numeric">
              Together
            </th>
          </tr>
        </thead>
        <tbody>
          {[...table].map(([day, row]) => (
            <tr key={day}>
              <th scope="row">{day}</th>
              {kinds.map(kind => (
                <td key={kind} className="vx-mod-numeric">
                  {figure(row.get(kind) ?? 0)}
                </td>
              ))}
              <td className="vx-mod-numeric">{figure(total(row))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function DayChart(props: Props): JSX.Element {
  const [asTable, setAsTable] = useState(false);
  const table = tabulated(props.days, props.measure);
  const kinds = KIND_ORDER.filter(kind => props.days.some(day => day.kind === kind));
  return (
    <section className="vx-Section" aria-label="By day">
      <div className="vx-Section-head">
        <h3>By day (UTC)</h3>
        <ul className="vx-Kinds">
          {kinds.map(kind => (
            <li key={kind}>
              <span className={`vx-mod-${kind}`} aria-hidden="true" />
              {KINDS[kind].title}
            </li>
          ))}
        </ul>
        <Button
          label="As a table"
          icon="workspace"
          kind="quiet"
          pressed={asTable}
          testId="spend-as-table"
          onClick={() => setAsTable(!asTable)}
        />
      </div>
      {asTable ? <DayTable {...props} table={table} kinds={kinds} /> : <Bars {...props} table={table} />}
    </section>
  );
}
