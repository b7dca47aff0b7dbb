/** What stands behind a cluster: its workers, why it grew and shrank, its logs. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import { Button, ProblemNotice, ProgressBar } from '../shared/components';
import { bytes, count, duration, moment } from '../shared/format';
import { useLoaded, useNow } from '../shared/hooks';
import type { Cluster, ClusterEvent, ClusterLogs, ClusterWorker } from '../shared/types';
import { Timeline } from './timeline';
import { useTopic } from './use-clusters';
import { ended } from './words';

const SHOWN = 8; // events

type View = 'workers' | 'events' | 'logs';
const VIEWS: readonly { id: View; title: string }[] = [
  { id: 'workers', title: 'Workers' },
  { id: 'events', title: 'History' },
  { id: 'logs', title: 'Logs' }
];
const WORKER_STATES = { starting: 'starting', running: '', leaving: 'leaving' };

function WorkerRow({ worker }: { worker: ClusterWorker }): JSX.Element {
  const facts = [
    count(worker.tasks, 'task'),
    `${worker.cpu.toFixed(1)} of ${count(worker.threads, 'core')}`,
    `${bytes(worker.memory)} of ${bytes(worker.memory_limit)}`
  ];
  return (
    <li data-testid="cluster-worker" data-state={worker.state}>
      <span>
        <strong>{worker.name}</strong>{' '}
        <small>
          {[worker.group, WORKER_STATES[worker.state], duration(worker.seconds)].filter(Boolean).join(' · ')}
        </small>
      </span>
      <small>{facts.join(' · ')}</small>
      <ProgressBar
        value={worker.memory_limit > 0 ? worker.memory / worker.memory_limit : 0}
        label={`Memory of ${worker.name}`}
        state={worker.memory > 0.8 * worker.memory_limit ? 'paused' : 'active'}
      />
    </li>
  );
}

function Workers({ workers }: { workers: readonly ClusterWorker[] }): JSX.Element {
  if (workers.length === 0) {
    return <p className="vx-Muted">No worker runs now.</p>;
  }
  return (
    <ul className="vx-Workers-list">
      {workers.map(worker => (
        <WorkerRow key={worker.name} worker={worker} />
      ))}
    </ul>
  );
}

function History({ cluster, events }: { cluster: Cluster; events: readonly ClusterEvent[] }): JSX.Element {
  const [all, setAll] = useState(false);
  const now = useNow(!ended(cluster), 2000);
  const newest = [...events].reverse();
  return (
    <>
      <Timeline
        events={events}
        from={Date.parse(cluster.started_at ?? cluster.created_at)}
        to={cluster.ended_at ? Date.parse(cluster.ended_at) : now}
        running={!ended(cluster)}
        ceiling={cluster.maximum}
      />
      {newest.length === 0 && <p className="vx-Muted">Nothing has happened yet.</p>}
      <ol className="vx-Events" data-testid="cluster-events">
        {(all ? newest : newest.slice(0, SHOWN)).map(event => (
          <li key={event.id} data-kind={event.kind}>
            <time dateTime={event.at} title={moment(event.at)}>
              {new Date(event.at).toLocaleTimeString('en-GB')}
            </time>
            <span>{event.text}</span>
          </li>
        ))}
      </ol>
      {!all && newest.length > SHOWN && (
        <Button
          label={`Show all ${count(newest.length, 'event')}`}
          kind="quiet"
          onClick={() => setAll(true)}
        />
      )}
    </>
  );
}

function Logs({
  logs,
  name,
  onName
}: {
  logs: ClusterLogs;
  name: string;
  onName: (name: string) => void;
}): JSX.Element {
  return (
    <>
      <select
        className="vx-Input"
        aria-label="Whose log"
        data-testid="cluster-log-name"
        value={name || logs.name}
        onChange={event => onName(event.target.value)}
      >
        {logs.names.map(one => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      <pre
        className="vx-Log"
        role="log"
        aria-label={`Log of ${logs.name}`}
        tabIndex={0}
        data-testid="cluster-log"
      >
        {logs.text || 'Nothing is written in this log.'}
      </pre>
    </>
  );
}

export function ClusterDetail({ core, cluster }: { core: Core; cluster: Cluster }): JSX.Element {
  const [view, setView] = useState<View>(cluster.state === 'failed' ? 'logs' : 'workers');
  const [name, setName] = useState('');
  const logs = useLoaded(() => core.api.clusterLogs(cluster.id, name || undefined), [cluster.id, name]);
  useTopic(core, 'cluster', logs.reload, cluster.id, 1000);
  useEffect(logs.reload, [cluster.state, view]);
  return (
    <div className="vx-Cluster-detail">
      <div className="vx-Segments" role="group" aria-label={`Details of ${cluster.title}`}>
        {VIEWS.map(({ id, title }) => (
          <Button
            key={id}
            label={title}
            kind="quiet"
            pressed={view === id}
            testId={`cluster-view-${id}`}
            onClick={() => setView(id)}
          />
        ))}
      </div>
      {view === 'workers' && <Workers workers={cluster.workers} />}
      {view !== 'workers' && logs.problem && <ProblemNotice problem={logs.problem} onRetry={logs.reload} />}
      {view === 'events' && logs.value && <History cluster={cluster} events={logs.value.events} />}
      {view === 'logs' && logs.value && <Logs logs={logs.value} name={name} onName={setName} />}
    </div>
  );
}
