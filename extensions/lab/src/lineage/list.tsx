/** A history as a list, in the order in which things happened: for the keyboard, for screen readers, and for narrow places. */
import type { Lineage, LineageNode } from '../shared/types';
import { Icon } from '../shared/icons';
import { draw } from './layout';
import { iconOf, toneOf } from './words';

function reached(
  from: string,
  edges: Lineage['edges'],
  near: 'source' | 'target',
  far: 'source' | 'target'
): Set<string> {
  const found = new Set<string>();
  const pending = [from];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const edge of edges) {
      if (edge[near] === at && !found.has(edge[far])) {
        found.add(edge[far]);
        pending.push(edge[far]);
      }
    }
  }
  return found;
}

function Step({
  node,
  from,
  chosen,
  onChoose
}: {
  node: LineageNode;
  from: string;
  chosen: boolean;
  onChoose: () => void;
}): JSX.Element {
  return (
    <li>
      <button
        type="button"
        className={`vx-Step vx-mod-${node.kind}`}
        aria-pressed={chosen}
        data-testid="lineage-step"
        data-key={node.key}
        onClick={onChoose}
      >
        <Icon name={iconOf(node)} />
        <span>
          <strong>{node.title}</strong>
          <small>{node.detail}</small>
          {from && <small>made from {from}</small>}
        </span>
        {toneOf(node) && <span className={`vx-Chip vx-mod-${toneOf(node)}`}>{node.state}</span>}
      </button>
    </li>
  );
}

export function Steps({
  lineage,
  chosen,
  onChoose
}: {
  lineage: Lineage;
  chosen: string;
  onChoose: (key: string) => void;
}): JSX.Element {
  const ordered = draw(lineage.nodes, lineage.edges)
    .columns.flat()
    .map(key => lineage.nodes.find(node => node.key === key)!);
  const above = reached(lineage.subject, lineage.edges, 'target', 'source');
  const below = reached(lineage.subject, lineage.edges, 'source', 'target');
  const titles = new Map(lineage.nodes.map(node => [node.key, node.title]));
  const from = (key: string): string =>
    lineage.edges
      .filter(edge => edge.target === key)
      .map(edge => titles.get(edge.source))
      .join(', ');
  const part = (title: string, nodes: LineageNode[]): JSX.Element | null =>
    nodes.length === 0 ? null : (
      <section className="vx-Section" aria-label={title}>
        <h3>{title}</h3>
        <ol className="vx-List">
          {nodes.map(node => (
            <Step
              key={node.key}
              node={node}
              from={node.kind === 'entry' ? '' : from(node.key)}
              chosen={node.key === chosen}
              onChoose={() => onChoose(node.key)}
            />
          ))}
        </ol>
      </section>
    );
  return (
    <div className="vx-Lineage-scroll vx-mod-list" data-testid="lineage-list">
      {part(
        'Where it comes from',
        ordered.filter(node => above.has(node.key))
      )}
      {part(
        'This',
        ordered.filter(node => node.key === lineage.subject)
      )}
      {part(
        'What was made from it',
        ordered.filter(node => below.has(node.key))
      )}
    </div>
  );
}
