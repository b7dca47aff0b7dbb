/** Changing a cluster that is open: its size, how long it lives, its end. */
import { useState } from 'react';

import type { Core } from '../core';
import { Field, Notice } from '../shared/components';
import { CheckField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import type { Cluster } from '../shared/types';
import { SizeFields, sizeBody, sizeWrong, type SizeWanted } from './size-fields';
import { localInput, priceRange, workersNow } from './words';

const HOUR = 3600_000; // ms

interface Props {
  core: Core;
  cluster: Cluster;
  onClose: () => void;
  onChanged: () => void;
}

export function SizeDialog({ core, cluster, onClose, onChanged }: Props): JSX.Element {
  const choices = useLoaded(() => core.api.clusterChoices(), []);
  const ceiling = choices.value?.ceiling ?? Math.max(cluster.maximum, 16);
  const [size, setSize] = useState<SizeWanted>({
    adaptive: cluster.adaptive,
    minimum: cluster.minimum,
    maximum: cluster.maximum,
    workers: cluster.adaptive ? workersNow(cluster) : cluster.wanted_workers
  });
  const kind = choices.value?.kinds.find(one => one.name === cluster.kind);
  const scheduler = choices.value?.scheduler_price_per_hour ?? 0;
  const price = (workers: number): number | null =>
    kind && kind.price_per_hour !== null ? scheduler + workers * kind.price_per_hour : null;
  const [least, most] = size.adaptive ? [size.minimum, size.maximum] : [size.workers, size.workers];
  const range = priceRange(price(least), price(most), cluster.currency);
  return (
    <FormDialog
      title={`Size of “${cluster.title}”`}
      testId="cluster-size-dialog"
      confirm={{
        label: 'Change size',
        disabled: sizeWrong(size, ceiling),
        testId: 'cluster-size-confirm'
      }}
      save={async () => {
        await core.api.patchCluster(cluster.id, sizeBody(size));
        onChanged();
      }}
      onClose={onClose}
    >
      <SizeFields size={size} ceiling={ceiling} onChange={setSize} />
      {!sizeWrong(size, ceiling) && range && <p className="vx-Muted">It then costs {range}.</p>}
      <p className="vx-Muted">A worker that leaves hands what it holds to the others first.</p>
    </FormDialog>
  );
}

export function PinDialog({ core, cluster, onClose, onChanged }: Props): JSX.Element {
  const [pinned, setPinned] = useState(true);
  const [until, setUntil] = useState(
    localInput(cluster.pinned_until ? new Date(cluster.pinned_until) : new Date(Date.now() + 8 * HOUR))
  );
  const time = new Date(until);
  const wrong = !pinned
    ? ''
    : Number.isNaN(time.getTime())
      ? 'Choose a day and a time.'
      : time.getTime() < Date.now()
        ? 'This time is over.'
        : '';
  return (
    <FormDialog
      title={`How long “${cluster.title}” lives`}
      testId="cluster-pin-dialog"
      confirm={{
        label: pinned ? 'Pin' : 'Unpin',
        icon: 'pin',
        disabled: wrong !== '',
        testId: 'cluster-pin-confirm'
      }}
      save={async () => {
        await core.api.patchCluster(
          cluster.id,
          pinned ? { pinned_until: time.toISOString() } : { unpin: true }
        );
        onChanged();
      }}
      onClose={onClose}
    >
      <p>
        A cluster ends with its owner’s server. A pinned one goes on without it until the end time, and costs
        until then.
      </p>
      {cluster.pinned_until && (
        <CheckField label="Pinned" testId="cluster-pinned" value={pinned} onChange={setPinned} />
      )}
      {pinned && (
        <Field label="Goes on until" error={wrong}>
          {ids => (
            <input
              {...ids}
              type="datetime-local"
              className="vx-Input"
              data-testid="cluster-pin-until"
              value={until}
              onChange={event => setUntil(event.target.value)}
            />
          )}
        </Field>
      )}
    </FormDialog>
  );
}

/** What is lost when it is closed now. */
function lostWith(cluster: Cluster): string {
  if (cluster.tasks_waiting > 0) {
    return `${count(cluster.tasks_waiting, 'task')} not yet computed ${cluster.tasks_waiting === 1 ? 'is' : 'are'} lost, and so is every result that only its workers hold.`;
  }
  return workersNow(cluster) > 0
    ? 'Nothing is being computed. Results that only its workers hold (futures, persisted collections) are lost.'
    : 'It has no worker now, so no result is lost.';
}

export function CloseDialog({ core, cluster, onClose, onChanged }: Props): JSX.Element {
  return (
    <FormDialog
      title={`Close “${cluster.title}”?`}
      testId="cluster-close-dialog"
      confirm={{ label: 'Close cluster', icon: 'close', kind: 'danger', testId: 'cluster-close-confirm' }}
      save={async () => {
        await core.api.closeCluster(cluster.id);
        onChanged();
      }}
      onClose={onClose}
    >
      <Notice kind={cluster.tasks_waiting > 0 ? 'warning' : 'info'}>{lostWith(cluster)}</Notice>
      <p>Files that your code wrote stay. Its history and its costs stay on record.</p>
    </FormDialog>
  );
}
