/** The items of a batch, a page at a time: forty or a thousand cost the same. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Batch, BatchItem, RunState } from '../shared/types';
import { Button, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { RunLog } from './log';
import { STATES } from './states';

const PAGE = 25;
/** Whose reason says more than the state. */
const SAID: ReadonlySet<RunState> = new Set(['queued', 'failed', 'cancelled']);

function Item({
  core,
  item,
  open,
  onOpen,
  onResult
}: {
  core: Core;
  item: BatchItem;
  open: boolean;
  onOpen: () => void;
  onResult: (dataset: string) => void;
}): JSX.Element {
  const state = STATES[item.state];
  return (
    <li className="vx-BatchItem" data-testid="batch-item" data-state={item.state}>
      <div className="vx-BatchItem-head">
        <span
          className={`vx-Dot vx-mod-${state.tone}`}
          role="img"
          aria-label={state.text}
          title={state.text}
        />
        <small>{item.number}</small>
        <span title={`${item.label} · ${item.run} · ${state.text}`}>{item.label}</span>
        {item.attempts > 1 && <small>attempt {item.attempts}</small>}
        {item.state === 'running' && item.progress > 0 && <small>{Math.round(item.progress * 100)} %</small>}
        {item.output_dataset_id && (
          <Button
            label={`Show the result of ${item.label}`}
            icon="datasets"
            iconOnly
            kind="quiet"
            onClick={() => onResult(item.output_dataset_id!)}
          />
        )}
        <Button
          label={`Log of ${item.label}`}
          icon="text"
          iconOnly
          kind="quiet"
          expanded={open}
          testId="batch-item-log"
          onClick={onOpen}
        />
      </div>
      {item.reason && SAID.has(item.state) && <p className="vx-Reason">{item.reason}</p>}
      {open && <RunLog core={core} run={item.run_id} />}
    </li>
  );
}

export function BatchItems({
  core,
  batch,
  state,
  onResult
}: {
  core: Core;
  batch: Batch;
  /** Only the items in this state. */
  state: RunState | null;
  onResult: (dataset: string) => void;
}): JSX.Element {
  const [page, setPage] = useState(0);
  const [opened, setOpened] = useState<number | null>(null);
  const total = state ? (batch.counts[state] ?? 0) : batch.total;
  const last = Math.max(0, Math.ceil(total / PAGE) - 1);
  const at = Math.min(page, last);
  // The batch is read again whenever something happens to it: so are the items on show.
  const items = useLoaded(
    () => core.api.batch(batch.id, { state: state ?? undefined, offset: at * PAGE, limit: PAGE }),
    [batch, state, at]
  );
  useEffect(() => setPage(0), [state]);
  return (
    <div className="vx-BatchItems">
      {items.problem && <ProblemNotice problem={items.problem} onRetry={items.reload} />}
      <ol className="vx-List">
        {items.value?.items.map(item => (
          <Item
            key={item.number}
            core={core}
            item={item}
            open={opened === item.number}
            onOpen={() => setOpened(number => (number === item.number ? null : item.number))}
            onResult={onResult}
          />
        ))}
      </ol>
      {total > PAGE && (
        <div className="vx-Pager" role="group" aria-label="Pages of items">
          <Button
            label="Earlier items"
            icon="back"
            iconOnly
            kind="quiet"
            disabled={at === 0}
            onClick={() => setPage(at - 1)}
          />
          <small role="status">
            {at * PAGE + 1} to {Math.min(total, (at + 1) * PAGE)} of {count(total, 'item')}
          </small>
          <Button
            label="Later items"
            icon="chevron"
            iconOnly
            kind="quiet"
            testId="batch-later"
            disabled={at === last}
            onClick={() => setPage(at + 1)}
          />
        </div>
      )}
    </div>
  );
}
