/** Where something comes from and what was made from it, on a page of its own. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Lineage } from '../shared/types';
import { Banners } from '../shared/banners';
import { Button, Notice, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { Graph } from './graph';
import { Steps } from './list';
import { NodeSheet, type Actions } from './node-sheet';

/** Of which entry or run; one of the two. */
export interface Subject {
  entry?: string;
  run?: string;
}

const NODES = 150;
const MOST = 500;
const DEPTH = 12;
const DEEPEST = 40;

function summary(lineage: Lineage): string {
  const runs = lineage.nodes.filter(node => node.kind === 'run').length;
  const data = lineage.nodes.length - runs;
  return `${count(runs, 'run')} and ${count(data, 'dataset entry', 'dataset entries')}`;
}

export function LineagePage({
  core,
  subject,
  actions,
  onTitle
}: {
  core: Core;
  subject: Subject;
  actions: Actions;
  onTitle: (title: string) => void;
}): JSX.Element {
  const [view, setView] = useState<'graph' | 'list'>('graph');
  const [more, setMore] = useState({ depth: DEPTH, limit: NODES });
  const [chosen, setChosen] = useState<string | null>(null);
  const loaded = useLoaded(
    () => core.api.lineage(subject, more.depth, more.limit),
    [subject.entry, subject.run, more.depth, more.limit]
  );
  const reload = loaded.reload;
  useEffect(() => {
    const stop = [core.events.on('run', reload), core.events.on('dataset', reload)];
    return () => stop.forEach(one => one());
  }, [core, reload]);
  const lineage = loaded.value;
  const at =
    lineage?.nodes.find(node => node.key === chosen) ??
    lineage?.nodes.find(node => node.key === lineage.subject);
  const title = lineage?.nodes.find(node => node.key === lineage.subject)?.title ?? '';
  useEffect(() => {
    if (title) {
      onTitle(title);
    }
  }, [title]);
  const open = (key: string): void => {
    const node = lineage?.nodes.find(one => one.key === key);
    if (node?.kind === 'entry' && node.id) {
      actions.showEntry(node.id);
    }
  };
  return (
    <div className="vx-Lineage" data-testid="lineage-page" aria-busy={loaded.loading}>
      <header className="vx-Lineage-head">
        <div>
          <h2>{title ? `History of ${title}` : 'History'}</h2>
          {lineage && (
            <small className="vx-Muted">
              {summary(lineage)}, from what was brought in (left) to what was made (right)
            </small>
          )}
        </div>
        <span className="vx-Spacer" />
        <div className="vx-Segments" role="group" aria-label="Show as">
          <Button label="Graph" kind="quiet" pressed={view === 'graph'} onClick={() => setView('graph')} />
          <Button
            label="List"
            kind="quiet"
            pressed={view === 'list'}
            testId="lineage-as-list"
            onClick={() => setView('list')}
          />
        </div>
      </header>
      <Banners core={core} />
      {loaded.problem && <ProblemNotice problem={loaded.problem} onRetry={reload} />}
      {lineage?.cut && (
        <Notice
          kind="info"
          action={
            (more.limit < MOST || more.depth < DEEPEST) && (
              <Button
                label="Show more"
                kind="quiet"
                onClick={() =>
                  setMore(({ depth, limit }) => ({
                    depth: Math.min(DEEPEST, depth * 2),
                    limit: Math.min(MOST, limit * 2)
                  }))
                }
              />
            )
          }
        >
          There is more than is shown here. Choose a step at the edge and press “History of this”.
        </Notice>
      )}
      {lineage && at && (
        <div className="vx-Lineage-body">
          {view === 'graph' ? (
            <Graph lineage={lineage} chosen={at.key} onChoose={setChosen} onOpen={open} />
          ) : (
            <Steps lineage={lineage} chosen={at.key} onChoose={setChosen} />
          )}
          <NodeSheet core={core} node={at} subject={at.key === lineage.subject} actions={actions} />
        </div>
      )}
    </div>
  );
}
