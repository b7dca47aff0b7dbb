/** One cluster: how it is, what it costs, and what may be done with it. */
import { useState } from 'react';

import type { Core } from '../core';
import { Button, ProgressBar } from '../shared/components';
import { bytes, duration, money, moment } from '../shared/format';
import { useNow } from '../shared/hooks';
import { Icon } from '../shared/icons';
import type { Cluster } from '../shared/types';
import { ClusterDetail } from './detail';
import { CloseDialog, PinDialog, SizeDialog } from './dialogs';
import { WorkersBar } from './workers-bar';
import { ended, isOpen, lifeOf, priceRange, STATES, workersNow } from './words';

export interface ClusterActions {
  dashboard: (cluster: Cluster) => void;
  insertClient: (cluster: Cluster) => void;
}

type Asking = 'size' | 'pin' | 'close' | null;

function Figures({ cluster }: { cluster: Cluster }): JSX.Element {
  const size = cluster.adaptive
    ? `${cluster.minimum} to ${cluster.maximum}`
    : `${cluster.wanted_workers} wanted`;
  const facts: [string, string][] = [
    ['Workers', `${workersNow(cluster)} (${size})`],
    ['Threads', String(cluster.threads)],
    ['Memory', `${bytes(cluster.memory)} of ${bytes(cluster.memory_limit)}`],
    ['Tasks', cluster.tasks_waiting.toLocaleString('en-GB')]
  ];
  return (
    <dl className="vx-Cluster-figures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Costs({ cluster }: { cluster: Cluster }): JSX.Element | null {
  if (cluster.cost === null) {
    return null;
  }
  const { price_per_hour: now, currency } = cluster;
  const range = priceRange(cluster.price_per_hour_floor, cluster.price_per_hour_maximum, currency);
  return (
    <p
      className="vx-Cluster-costs"
      data-testid="cluster-cost"
      title={range && `Between floor and ceiling: ${range}`}
    >
      <Icon name="spend" />
      <strong>{money(cluster.cost, currency)}</strong> {ended(cluster) ? 'in all' : 'so far'}
      {isOpen(cluster) && now !== null && <> · {money(now, currency)} an hour now</>}
    </p>
  );
}

function Actions({
  cluster,
  actions,
  ask
}: {
  cluster: Cluster;
  actions: ClusterActions;
  ask: (what: Asking) => void;
}): JSX.Element {
  const running = cluster.state === 'running';
  return (
    <>
      {cluster.dashboard_path && running && (
        <Button
          label="Dashboard"
          icon="gauge"
          testId="cluster-dashboard"
          onClick={() => actions.dashboard(cluster)}
        />
      )}
      {cluster.mine && isOpen(cluster) && (
        <Button
          label="Insert client cell"
          icon="cell"
          title="Puts a cell that connects to this cluster into the notebook that is open"
          testId="cluster-insert"
          onClick={() => actions.insertClient(cluster)}
        />
      )}
      {cluster.manageable && isOpen(cluster) && (
        <>
          <Button label="Size" icon="resize" kind="quiet" testId="cluster-size" onClick={() => ask('size')} />
          <Button
            label="Pin"
            pressed={cluster.pinned_until !== null}
            title="Lets it go on without its owner’s server until an end time"
            icon="pin"
            kind="quiet"
            testId="cluster-pin"
            onClick={() => ask('pin')}
          />
          <Button
            label="Close"
            icon="close"
            kind="quiet"
            testId="cluster-close"
            onClick={() => ask('close')}
          />
        </>
      )}
    </>
  );
}

export function ClusterCard({
  core,
  cluster,
  actions,
  onChanged
}: {
  core: Core;
  cluster: Cluster;
  actions: ClusterActions;
  onChanged: () => void;
}): JSX.Element {
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState<Asking>(null);
  const over = ended(cluster);
  const now = useNow(!over);
  const state = STATES[cluster.state];
  const until = cluster.ended_at ? Date.parse(cluster.ended_at) : now;
  const age = duration((until - Date.parse(cluster.created_at)) / 1000);
  const dialog = { core, cluster, onClose: () => setAsking(null), onChanged };
  const origin = { panel: 'made in the panel', notebook: 'made in a notebook', api: 'made by a script' };
  const about = [
    cluster.mine ? '' : cluster.owner,
    cluster.project,
    cluster.environment,
    cluster.kind,
    origin[cluster.made_in as keyof typeof origin] ?? '',
    over ? `${moment(cluster.created_at)}, for ${age}` : age
  ];
  return (
    <li
      className="vx-Run vx-Cluster"
      data-testid="cluster-card"
      data-cluster={cluster.id}
      data-state={cluster.state}
    >
      <div className="vx-Run-head">
        <span className={`vx-Chip vx-mod-${state.tone}`}>{state.text}</span>
        <strong title={cluster.title}>{cluster.title}</strong>
      </div>
      <small className="vx-Muted">{about.filter(Boolean).join(' · ')}</small>
      {cluster.state === 'starting' && <ProgressBar label={`${cluster.title} starts`} />}
      {!over && cluster.state !== 'starting' && (
        <>
          <WorkersBar cluster={cluster} />
          <Figures cluster={cluster} />
        </>
      )}
      {cluster.reason && (
        <p className="vx-Reason" role="status" data-testid="cluster-reason">
          {cluster.reason}
        </p>
      )}
      <Costs cluster={cluster} />
      {lifeOf(cluster) && <small className="vx-Muted">{lifeOf(cluster)}</small>}
      <div className="vx-Buttons vx-mod-compact">
        <Actions cluster={cluster} actions={actions} ask={setAsking} />
        <Button
          label="Details"
          icon="text"
          kind="quiet"
          expanded={open}
          testId="cluster-details"
          onClick={() => setOpen(!open)}
        />
      </div>
      {open && <ClusterDetail core={core} cluster={cluster} />}
      {asking === 'size' && <SizeDialog {...dialog} />}
      {asking === 'pin' && <PinDialog {...dialog} />}
      {asking === 'close' && <CloseDialog {...dialog} />}
    </li>
  );
}
