/** The runs and batches of my projects, newest first. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Batch, Run } from '../shared/types';
import { Button, Empty, ProblemNotice } from '../shared/components';
import { useLoaded } from '../shared/hooks';
import { BatchRow, type BatchActions } from './batch-row';
import { RunRow } from './run-row';

const LIMIT = 30;
const CALM = 400; // ms between two readings: a batch gives many hints

export function useHints(core: Core, reload: () => void): void {
  useEffect(() => {
    let timer = 0;
    const soon = (): void => {
      timer ||= window.setTimeout(() => {
        timer = 0;
        reload();
      }, CALM);
    };
    const off = [core.events.on('run', soon), core.events.on('batch', soon)];
    return () => {
      window.clearTimeout(timer);
      off.forEach(stop => stop());
    };
  }, [core, reload]);
}

type Row = { at: string; run: Run; batch?: undefined } | { at: string; batch: Batch; run?: undefined };

async function read(core: Core, kind: 'tool' | '', limit: number): Promise<{ rows: Row[]; more: boolean }> {
  const [runs, batches] = await Promise.all([
    core.api.runs({ kind, batch: 'none', limit }),
    core.api.batches({ limit })
  ]);
  const rows: Row[] = [
    ...runs.items.map(run => ({ at: run.created_at, run })),
    ...batches.items.map(batch => ({ at: batch.created_at, batch }))
  ];
  rows.sort((a, b) => (a.at < b.at ? 1 : -1));
  return { rows: rows.slice(0, limit), more: runs.total + batches.total > limit };
}

export function Runs({
  core,
  started,
  onResult,
  actions
}: {
  core: Core;
  /** The run or batch to show opened, just started here. */
  started: string | null;
  onResult: (run: Run) => void;
  actions: BatchActions;
}): JSX.Element {
  const [kind, setKind] = useState<'tool' | ''>('tool');
  const [limit, setLimit] = useState(LIMIT);
  const [opened, setOpened] = useState<string | null>(null);
  const found = useLoaded(() => read(core, kind, limit), [kind, limit, started]);
  useEffect(() => setOpened(started), [started]);
  useHints(core, found.reload);
  const toggle = (id: string): void => setOpened(now => (now === id ? null : id));
  return (
    <section className="vx-Section" aria-label="Runs">
      <div className="vx-Section-head">
        <h3>Runs</h3>
        <Button
          label="Imports too"
          kind="quiet"
          pressed={kind === ''}
          onClick={() => setKind(k => (k ? '' : 'tool'))}
        />
      </div>
      {found.problem && <ProblemNotice problem={found.problem} onRetry={found.reload} />}
      {found.value?.rows.length === 0 && (
        <Empty icon="play" title="No runs yet">
          Select a row in the workspace and press Run on a tool that fits.
        </Empty>
      )}
      <ul className="vx-List">
        {found.value?.rows.map(({ run, batch }) =>
          batch ? (
            <BatchRow
              key={batch.id}
              core={core}
              batch={batch}
              open={opened === batch.id}
              onOpen={open => setOpened(open ? batch.id : null)}
              actions={actions}
              onChanged={found.reload}
            />
          ) : (
            <RunRow
              key={run.id}
              core={core}
              run={run}
              open={opened === run.id}
              onOpen={() => toggle(run.id)}
              onResult={onResult}
              onChanged={found.reload}
            />
          )
        )}
      </ul>
      {found.value?.more && (
        <Button label="Show more" kind="quiet" onClick={() => setLimit(n => n + LIMIT)} />
      )}
    </section>
  );
}
