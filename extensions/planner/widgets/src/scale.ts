// Axes: from values to fractions of a length, with ticks at round numbers.

export interface Scale {
  /** 0 at the low end, 1 at the high one. */
  at(value: number): number;
  ticks: number[];
  logarithmic: boolean;
}

const SPREAD = 40; // largest over smallest value from which an axis is logarithmic

export function scaleOf(values: Iterable<number>): Scale {
  let [low, high, least] = [Infinity, 0, Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    if (value > 0) least = Math.min(least, value);
  }
  if (high <= 0) return linear(0, 1);
  return high / least > SPREAD ? logarithmic(least, high, low <= 0) : linear(low, high);
}

function linear(low: number, high: number): Scale {
  const span = high - low || high || 1;
  const [start, end] = [Math.max(low - span * 0.06, 0), high + span * 0.06];
  const step = roundStep((end - start) / 4.5);
  const ticks: number[] = [];
  for (let n = Math.ceil(start / step); n * step <= end * (1 + 1e-12); n++) ticks.push(n * step);
  return { at: value => (value - start) / (end - start), ticks, logarithmic: false };
}

/** Zero, where it occurs, lies at the low end, a little apart from the rest. */
function logarithmic(least: number, high: number, withZero: boolean): Scale {
  const [from, to] = [Math.log10(least) - 0.08, Math.log10(high) + 0.08];
  const apart = withZero ? 0.09 : 0;
  const at = (value: number): number =>
    value <= 0 ? apart * 0.3 : apart + (1 - apart) * Math.max((Math.log10(value) - from) / (to - from), 0);
  const steps = to - from > 2.5 ? [1] : [1, 2, 5];
  const ticks = withZero ? [0] : [];
  for (let power = Math.floor(from); power <= Math.ceil(to); power++) {
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (Math.log10(tick) >= from && Math.log10(tick) <= to) ticks.push(tick);
    }
  }
  return { at, ticks, logarithmic: true };
}

function roundStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = [1, 2, 5, 10].find(one => one * power >= wanted) ?? 10;
  return factor * power;
}

/** As a tick is written. */
export function tickText(value: number): string {
  return value === 0 ? '0' : String(Number(value.toPrecision(6)));
}
