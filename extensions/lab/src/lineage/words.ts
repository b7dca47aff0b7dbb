/** A node of a history in words and as an icon. */
import type { LineageNode } from '../shared/types';
import type { IconName } from '../shared/icons';

export function iconOf(node: LineageNode): IconName {
  if (node.kind === 'hidden') {
    return 'key';
  }
  if (node.kind === 'gone') {
    return 'trash';
  }
  if (node.kind === 'run') {
    return node.digest ? 'tools' : node.detail.startsWith('Joined') ? 'tools' : 'upload';
  }
  return 'datasets';
}

export type Tone = 'good' | 'bad' | 'live' | 'off' | '';

export function toneOf(node: LineageNode): Tone {
  if (node.kind !== 'run') {
    return '';
  }
  return node.state === 'succeeded'
    ? 'good'
    : node.state === 'failed'
      ? 'bad'
      : node.state === 'cancelled'
        ? 'off'
        : 'live';
}

const KINDS: Record<LineageNode['kind'], string> = {
  run: 'Run',
  entry: 'Data',
  gone: 'Deleted data',
  hidden: 'Hidden'
};

export function kindOf(node: LineageNode): string {
  return KINDS[node.kind];
}

/** One sentence for who does not see the picture. */
export function spoken(node: LineageNode, subject: boolean): string {
  const parts = [
    kindOf(node),
    node.title,
    node.detail,
    node.state,
    subject ? 'this is what you asked about' : ''
  ];
  return parts.filter(Boolean).join(', ');
}
