/** How clusters are said: states, sizes, prices, what ends them and what is lost then. */
import { bytes, count, money, moment } from '../shared/format';
import type { Cluster, ClusterChoices, ClusterState, WorkerKind } from '../shared/types';
import type { Tone } from '../tools/states';

export const STATES: Record<ClusterState, { text: string; tone: Tone }> = {
  starting: { text: 'Starting', tone: 'live' },
  running: { text: 'Running', tone: 'good' },
  closing: { text: 'Closing', tone: 'wait' },
  closed: { text: 'Closed', tone: 'off' },
  failed: { text: 'Failed', tone: 'bad' }
};

export function isOpen(cluster: Pick<Cluster, 'state'>): boolean {
  return cluster.state === 'starting' || cluster.state === 'running';
}

export function ended(cluster: Pick<Cluster, 'state'>): boolean {
  return cluster.state === 'closed' || cluster.state === 'failed';
}

/** Workers that compute or could; those on their way are not yet among them. */
export function workersNow(cluster: Cluster): number {
  return cluster.workers.filter(worker => worker.state !== 'starting').length;
}

export function kindLabel(kind: WorkerKind, currency: string | null): string {
  const size = [count(kind.cpu, 'core'), bytes(kind.memory), kind.gpus ? count(kind.gpus, 'GPU') : ''];
  const price = kind.price_per_hour === null ? '' : ` · ${money(kind.price_per_hour, currency)} an hour`;
  return `${kind.title}: ${size.filter(Boolean).join(', ')}${price}`;
}

/** `0.10 to 0.34 EUR an hour`, or nothing where there is no price list. */
export function priceRange(floor: number | null, maximum: number | null, currency: string | null): string {
  if (floor === null || maximum === null) {
    return '';
  }
  return floor === maximum
    ? `${money(maximum, currency)} an hour`
    : `${money(floor, null)} to ${money(maximum, currency)} an hour`;
}

/** What ends it, in one sentence. */
export function lifeOf(cluster: Cluster): string {
  if (ended(cluster) || cluster.state === 'closing') {
    return '';
  }
  const whose = cluster.mine ? 'your' : `${cluster.owner}’s`;
  const server = cluster.server ? `${whose} server “${cluster.server}”` : `${whose} server`;
  const life = cluster.pinned_until
    ? `Pinned until ${moment(cluster.pinned_until)}`
    : cluster.server === null
      ? 'Bound to no server'
      : `Ends with ${server}`;
  return cluster.closes_at
    ? `${life}; closes at ${moment(cluster.closes_at).slice(11)} unless something is computed before.`
    : `${life}.`;
}

export function idleText(choices: ClusterChoices): string {
  return choices.idle_seconds > 0
    ? `or after ${count(Math.max(1, Math.round(choices.idle_seconds / 60)), 'minute')} without work`
    : 'or when you close it';
}

export function clientCell(id: string): string {
  return [
    'import voxelhub',
    '',
    `cluster = voxelhub.Cluster.connect("${id}")`,
    'client = cluster.get_client()',
    'client'
  ].join('\n');
}

/** The two lines that make a cluster in code. */
export const IN_CODE = 'cluster = voxelhub.Cluster(adapt=(0, 4))\nclient = cluster.get_client()';

/** A date and time for an input of this name, in the reader's own time zone. */
export function localInput(time: Date): string {
  return moment(time.toISOString()).replace(' ', 'T');
}
