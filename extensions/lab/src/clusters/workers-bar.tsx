/** Workers as a row of boxes between floor and ceiling; of many as one bar. */
import type { Cluster } from '../shared/types';
import { count } from '../shared/format';
import { workersNow } from './words';

const BOXES = 32;

export function spoken(cluster: Cluster): string {
  const starting = cluster.workers.filter(worker => worker.state === 'starting').length;
  const leaving = cluster.workers.filter(worker => worker.state === 'leaving').length;
  return [
    `${workersNow(cluster)} of at most ${count(cluster.maximum, 'worker')}`,
    cluster.minimum > 0 ? `at least ${cluster.minimum}` : '',
    starting > 0 ? `${starting} on the way` : '',
    leaving > 0 ? `${leaving} leaving` : ''
  ]
    .filter(Boolean)
    .join(', ');
}

export function WorkersBar({ cluster }: { cluster: Cluster }): JSX.Element {
  const { workers, maximum, minimum } = cluster;
  const order = ['running', 'leaving', 'starting'];
  const states = workers
    .map(worker => worker.state)
    .sort((one, other) => order.indexOf(one) - order.indexOf(other));
  const boxes = Math.max(maximum, states.length);
  return (
    <div
      className="vx-Workers"
      role="img"
      aria-label={spoken(cluster)}
      title={spoken(cluster)}
      data-testid="cluster-workers"
      data-workers={workersNow(cluster)}
    >
      {boxes <= BOXES ? (
        Array.from({ length: boxes }, (_, n) => (
          <span
            key={n}
            className={`${states[n] ? `vx-mod-${states[n]}` : ''}${n < minimum ? ' vx-mod-floor' : ''}`}
          />
        ))
      ) : (
        <span className="vx-Workers-many">
          <span style={{ width: `${(100 * workersNow(cluster)) / boxes}%` }} />
        </span>
      )}
    </div>
  );
}
