/** What the spend was for: one list of bars for each way of looking at it. */
import { useState } from 'react';

import { Button } from '../shared/components';
import type { SpendBar, SpendBy, SpendKind, SpendSummary } from '../shared/types';
import { amountText, DIMENSIONS, KINDS, valueOf, type Measure } from './words';

const SHOWN = 6;

function titleOf(by: SpendBy, bar: SpendBar): string {
  if (by === 'kind') {
    return KINDS[bar.key as SpendKind]?.title ?? bar.title;
  }
  return (
    bar.title || bar.key || (by === 'project' ? 'Without a project' : by === 'tool' ? 'Not a tool' : '–')
  );
}

function List({
  by,
  title,
  bars,
  measure,
  currency
}: {
  by: SpendBy;
  title: string;
  bars: readonly SpendBar[];
  measure: Measure;
  currency: string | null;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const sorted = [...bars].sort((one, other) => valueOf(other, measure) - valueOf(one, measure));
  const most = Math.max(valueOf(sorted[0]!, measure), Number.EPSILON);
  return (
    <section className="vx-Section vx-Breakdown" aria-label={title} data-testid={`spend-by-${by}`}>
      <h3>{title}</h3>
      <ul>
        {(all ? sorted : sorted.slice(0, SHOWN)).map(bar => (
          <li key={bar.key}>
            <span title={titleOf(by, bar)}>{titleOf(by, bar)}</span>
            <span className="vx-mod-numeric">{amountText(valueOf(bar, measure), measure, currency)}</span>
            <span
              className={`vx-Breakdown-bar${by === 'kind' ? ` vx-mod-${bar.key}` : ''}`}
              aria-hidden="true"
            >
              <span style={{ width: `${(100 * valueOf(bar, measure)) / most}%` }} />
            </span>
          </li>
        ))}
      </ul>
      {!all && sorted.length > SHOWN && (
        <Button label={`Show all ${sorted.length}`} kind="quiet" onClick={() => setAll(true)} />
      )}
    </section>
  );
}

export function Breakdowns({ spend, measure }: { spend: SpendSummary; measure: Measure }): JSX.Element {
  return (
    <div className="vx-Breakdowns">
      {DIMENSIONS.map(({ id, title }) => {
        const bars = (spend.by[id] ?? []).filter(bar => id !== 'tool' || bar.key !== '');
        const said = bars.length > 1 || (bars.length === 1 && id !== 'person');
        return (
          said && (
            <List key={id} by={id} title={title} bars={bars} measure={measure} currency={spend.currency} />
          )
        );
      })}
    </div>
  );
}
