/** How many workers there were over time, as steps, and each decision with what was measured. */
import { useRef } from 'react';

import type { ClusterEvent } from '../shared/types';
import { count } from '../shared/format';
import { useWidth } from '../shared/hooks';

const [NARROWEST, HEIGHT] = [120, 72]; // px
const PAD = { left: 20, right: 6, top: 6, bottom: 14 };

interface Step {
  at: number;
  size: number;
  text: string;
}

/** The number of workers that an event speaks of; null where it speaks of none. */
export function sizeAfter(event: ClusterEvent): number | null {
  for (const name of ['to', 'size', 'workers', 'wanted']) {
    const value = event.measured[name];
    if (typeof value === 'number') {
      return value;
    }
  }
  return null;
}

export function stepsOf(events: readonly ClusterEvent[]): Step[] {
  return events
    .filter(event => event.kind === 'scale')
    .map(event => ({ at: Date.parse(event.at), size: sizeAfter(event), text: event.text }))
    .filter((step): step is Step => step.size !== null)
    .sort((one, other) => one.at - other.at);
}

function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

export function Timeline({
  events,
  from,
  to,
  running,
  ceiling
}: {
  events: readonly ClusterEvent[];
  /** ms; the axis. */
  from: number;
  to: number;
  /** The axis ends now. */
  running: boolean;
  ceiling: number;
}): JSX.Element | null {
  const box = useRef<HTMLElement>(null);
  const width = Math.max(NARROWEST, useWidth(box));
  const steps = stepsOf(events);
  if (steps.length === 0) {
    return null;
  }
  const start = Math.min(from, steps[0]!.at);
  const span = Math.max(1000, to - start);
  const top = Math.max(1, ceiling, ...steps.map(step => step.size));
  const x = (at: number): number =>
    PAD.left + ((Math.min(at, to) - start) / span) * (width - PAD.left - PAD.right);
  const y = (size: number): number => HEIGHT - PAD.bottom - (size / top) * (HEIGHT - PAD.top - PAD.bottom);
  const line = steps.map(step => `H${x(step.at).toFixed(1)}V${y(step.size).toFixed(1)}`).join('');
  const path = `M${PAD.left} ${y(0)}${line}H${x(to).toFixed(1)}`;
  const most = Math.max(...steps.map(step => step.size));
  return (
    <figure className="vx-Timeline" ref={box}>
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={`Workers over time: ${count(steps.length, 'change')}, at most ${most}, now ${steps[steps.length - 1]!.size}.`}
        data-testid="cluster-timeline"
      >
        <line x1={PAD.left} x2={width - PAD.right} y1={y(0)} y2={y(0)} className="vx-Timeline-axis" />
        <line x1={PAD.left} x2={width - PAD.right} y1={y(top)} y2={y(top)} className="vx-Timeline-ceiling" />
        <path d={`${path}V${y(0)}H${PAD.left}Z`} className="vx-Timeline-area" />
        <path d={path} className="vx-Timeline-line" />
        {steps.map((step, n) => (
          <circle key={n} cx={x(step.at)} cy={y(step.size)} r={2.4} className="vx-Timeline-point">
            <title>{step.text}</title>
          </circle>
        ))}
        <text x={PAD.left - 5} y={y(top) + 3} textAnchor="end">
          {top}
        </text>
        <text x={PAD.left - 5} y={y(0) + 3} textAnchor="end">
          0
        </text>
        <text x={PAD.left} y={HEIGHT - 3}>
          {clock(start)}
        </text>
        <text x={width - PAD.right} y={HEIGHT - 3} textAnchor="end">
          {running ? 'now' : clock(to)}
        </text>
      </svg>
    </figure>
  );
}
