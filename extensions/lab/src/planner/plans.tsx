/** The plans of my projects, newest first: runs of the planner's tool. */
import { useEffect, useRef, useState } from 'react';

import type { Core } from '../core';
import type { Run, Tool } from '../shared/types';
import { Button, ProblemNotice } from '../shared/components';
import { useLoaded } from '../shared/hooks';
import { RunRow } from '../tools/run-row';
import { useHints } from '../tools/runs';
import { TOOL } from './state';

const PAGE = 10;

export function Plans({
  core,
  tool,
  started,
  onOpen,
  onReady
}: {
  core: Core;
  tool: Tool;
  /** The run that was just started here. */
  started: string | null;
  onOpen: (run: Run) => void;
  /** Is called once, when that run has succeeded. */
  onReady: (run: Run) => void;
}): JSX.Element | null {
  const [limit, setLimit] = useState(PAGE);
  const [opened, setOpened] = useState<string | null>(null);
  const [told, setTold] = useState<string | null>(null);
  const found = useLoaded(() => core.api.runs({ kind: 'tool', tool: TOOL, limit }), [limit, started]);
  useHints(core, found.reload);
  // Every title begins with the tool's: what differs is the slides.
  const plans = (found.value?.items ?? []).map(run => ({
    ...run,
    title: run.title.replace(`${tool.title}: `, '')
  }));
  const ready = plans.find(run => run.id === started && run.state === 'succeeded');
  useEffect(() => {
    if (ready && told !== ready.id) {
      setTold(ready.id);
      onReady(ready);
    }
  }, [ready?.id, told]);
  const box = useRef<HTMLElement>(null);
  const here = plans.some(run => run.id === started);
  useEffect(() => {
    if (here) {
      box.current?.querySelector(`[data-run="${started}"]`)?.scrollIntoView({ block: 'nearest' });
    }
  }, [here, started]);
  if (found.value?.total === 0) {
    return null;
  }
  return (
    <section ref={box} className="vx-Section" aria-label="Plans">
      <h3>Plans</h3>
      {found.problem && !core.trouble.get() && (
        <ProblemNotice problem={found.problem} onRetry={found.reload} />
      )}
      <ul className="vx-List">
        {plans.map(run => (
          <RunRow
            key={run.id}
            core={core}
            run={run}
            open={opened === run.id}
            result={{ label: 'Open plan', icon: 'planner' }}
            onOpen={() => setOpened(now => (now === run.id ? null : run.id))}
            onResult={onOpen}
            onChanged={found.reload}
          />
        ))}
      </ul>
      {found.value && found.value.total > limit && (
        <Button label="Show more" kind="quiet" onClick={() => setLimit(n => n + PAGE)} />
      )}
    </section>
  );
}
