/** The dashboard of a cluster's scheduler, inside Lab: one view at a time, or the four side by side. */
import { useState } from 'react';

import type { Core } from '../core';
import { Button, Empty, Notice } from '../shared/components';
import { useLoaded } from '../shared/hooks';
import type { Cluster } from '../shared/types';
import { useTopic } from './use-clusters';
import { STATES } from './words';

const VIEWS = [
  { id: 'task-stream', title: 'Task stream', page: 'individual-task-stream' },
  { id: 'progress', title: 'Progress', page: 'individual-progress' },
  { id: 'workers', title: 'Workers', page: 'individual-workers' },
  { id: 'memory', title: 'Memory', page: 'individual-workers-memory' }
] as const;
type View = (typeof VIEWS)[number]['id'] | 'all';

function addressOf(core: Core, cluster: Cluster, page: string): string {
  return `${core.api.root}/${cluster.dashboard_path!.replace(/[^/]*$/, page)}`;
}

/** The scheduler runs its owner’s code: its pages run scripts, but have no origin and open nothing. */
function Frame({ title, source }: { title: string; source: string }): JSX.Element {
  return (
    <iframe
      className="vx-Dashboard-frame"
      title={title}
      src={source}
      sandbox="allow-scripts"
      data-testid="dashboard-frame"
    />
  );
}

export function DashboardPage({
  core,
  id,
  onTitle
}: {
  core: Core;
  id: string;
  onTitle: (title: string) => void;
}): JSX.Element {
  const [view, setView] = useState<View>('task-stream');
  const found = useLoaded(async () => {
    const page = await core.api.clusters({ scope: 'mine', limit: 100 });
    const cluster = page.items.find(one => one.id === id) ?? null;
    if (cluster) {
      onTitle(cluster.title);
    }
    return { cluster };
  }, [id]);
  useTopic(core, 'cluster', found.reload, id);
  const cluster = found.value?.cluster;
  const shown = VIEWS.filter(one => view === 'all' || one.id === view);
  return (
    <div className="vx-Dashboard" data-testid="dashboard-page">
      <div className="vx-Segments vx-Dashboard-tabs" role="group" aria-label="View of the dashboard">
        {VIEWS.map(one => (
          <Button
            key={one.id}
            label={one.title}
            kind="quiet"
            pressed={view === one.id}
            testId={`dashboard-${one.id}`}
            onClick={() => setView(one.id)}
          />
        ))}
        <Button
          label="All four"
          kind="quiet"
          pressed={view === 'all'}
          testId="dashboard-all"
          onClick={() => setView('all')}
        />
      </div>
      {found.problem && <Notice kind="error">{found.problem.message}</Notice>}
      {cluster?.dashboard_path && cluster.state === 'running' ? (
        <div className={`vx-Dashboard-frames${view === 'all' ? ' vx-mod-all' : ''}`}>
          {shown.map(one => (
            <Frame
              key={one.id}
              title={`${one.title} of ${cluster.title}`}
              source={addressOf(core, cluster, one.page)}
            />
          ))}
        </div>
      ) : (
        found.value && (
          <Empty
            icon="gauge"
            title={
              cluster
                ? `${cluster.title}: ${STATES[cluster.state].text.toLowerCase()}`
                : 'This cluster is gone'
            }
          >
            {cluster?.reason ||
              'A dashboard shows what runs now. What ran is in the cluster’s details and in Spend.'}
          </Empty>
        )
      )}
    </div>
  );
}
