/** The picture of a history: data and runs from left to right. Arrow keys walk along the lines. */
import { useEffect, useId, useLayoutEffect, useMemo, useRef } from 'react';

import type { Lineage } from '../shared/types';
import { Icon } from '../shared/icons';
import { curve, draw, HEIGHT, WIDTH, type Drawing, type Placed } from './layout';
import { iconOf, spoken, toneOf } from './words';

const KEYS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'];

/** Where an arrow key leads: along a line to the nearest neighbour, or up and down the column. */
function nextOf(key: string, from: string, lineage: Lineage, drawing: Drawing): string | undefined {
  const here = drawing.placed.get(from);
  if (!here) {
    return undefined;
  }
  if (key === 'ArrowUp' || key === 'ArrowDown') {
    const column = drawing.columns[here.column]!;
    return column[column.indexOf(from) + (key === 'ArrowUp' ? -1 : 1)];
  }
  const [near, far] = key === 'ArrowLeft' ? (['target', 'source'] as const) : (['source', 'target'] as const);
  const others = lineage.edges
    .filter(edge => edge[near] === from)
    .map(edge => drawing.placed.get(edge[far]))
    .filter((one): one is Placed => one !== undefined);
  others.sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y));
  return others[0]?.node.key;
}

/** The nodes that the chosen one came from or led to. */
function family(chosen: string, lineage: Lineage): Set<string> {
  const found = new Set([chosen]);
  for (const [near, far] of [
    ['target', 'source'],
    ['source', 'target']
  ] as const) {
    const pending = [chosen];
    const seen = new Set(pending);
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const edge of lineage.edges) {
        if (edge[near] === at && !seen.has(edge[far])) {
          seen.add(edge[far]);
          pending.push(edge[far]);
        }
      }
    }
    seen.forEach(key => found.add(key));
  }
  return found;
}

function Lines({
  lineage,
  drawing,
  lit
}: {
  lineage: Lineage;
  drawing: Drawing;
  lit: Set<string>;
}): JSX.Element {
  const arrow = `vx-arrow-${useId().replace(/:/g, '')}`; // two pages may be open
  return (
    <svg className="vx-Lineage-lines" width={drawing.width} height={drawing.height} aria-hidden="true">
      <defs>
        <marker id={arrow} viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M1 1 6.5 4 1 7" />
        </marker>
      </defs>
      {lineage.edges.map(edge => {
        const from = drawing.placed.get(edge.source);
        const to = drawing.placed.get(edge.target);
        const on = lit.has(edge.source) && lit.has(edge.target);
        return (
          from &&
          to && (
            <path
              key={`${edge.source} ${edge.target} ${edge.role}`}
              className={on ? 'vx-mod-lit' : ''}
              d={curve(from, to)}
              markerEnd={`url(#${arrow})`}
            />
          )
        );
      })}
    </svg>
  );
}

export function Graph({
  lineage,
  chosen,
  onChoose,
  onOpen
}: {
  lineage: Lineage;
  chosen: string;
  onChoose: (key: string) => void;
  onOpen: (key: string) => void;
}): JSX.Element {
  const drawing = useMemo(() => draw(lineage.nodes, lineage.edges), [lineage]);
  const lit = useMemo(() => family(chosen, lineage), [chosen, lineage]);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const at = drawing.placed.get(lineage.subject);
    const view = box.current;
    if (at && view) {
      view.scrollLeft = at.x + WIDTH / 2 - view.clientWidth / 2;
      view.scrollTop = at.y + HEIGHT / 2 - view.clientHeight / 2;
    }
  }, [lineage.subject, drawing]);
  const walked = useRef(false);
  useEffect(() => {
    if (walked.current) {
      walked.current = false;
      box.current?.querySelector<HTMLElement>('[aria-pressed=true]')?.focus();
    }
  }, [chosen]);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const next = KEYS.includes(event.key) ? nextOf(event.key, chosen, lineage, drawing) : undefined;
    if (KEYS.includes(event.key)) {
      event.preventDefault();
    }
    if (next !== undefined) {
      walked.current = true;
      onChoose(next);
    }
  };
  return (
    <div className="vx-Lineage-scroll" ref={box} onKeyDown={onKeyDown}>
      <div
        className="vx-Lineage-graph"
        role="group"
        aria-label="History, from left to right. Arrow keys follow the lines."
        style={{ width: drawing.width, height: drawing.height }}
        data-testid="lineage-graph"
      >
        <Lines lineage={lineage} drawing={drawing} lit={lit} />
        {[...drawing.placed.values()].map(({ node, x, y }) => (
          <button
            key={node.key}
            type="button"
            className={[
              'vx-Node',
              `vx-mod-${node.kind}`,
              node.key === lineage.subject ? 'vx-mod-subject' : '',
              lit.has(node.key) ? '' : 'vx-mod-aside'
            ].join(' ')}
            style={{ left: x, top: y, width: WIDTH, height: HEIGHT }}
            tabIndex={node.key === chosen ? 0 : -1}
            aria-pressed={node.key === chosen}
            aria-label={spoken(node, node.key === lineage.subject)}
            data-testid="lineage-node"
            data-key={node.key}
            onClick={() => onChoose(node.key)}
            onDoubleClick={() => onOpen(node.key)}
          >
            <span className="vx-Node-icon">
              <Icon name={iconOf(node)} />
            </span>
            <span className="vx-Node-text">
              <strong title={node.title}>{node.title}</strong>
              <small title={node.detail}>{node.detail}</small>
            </span>
            {toneOf(node) && <span className={`vx-Node-state vx-mod-${toneOf(node)}`} />}
          </button>
        ))}
      </div>
    </div>
  );
}
