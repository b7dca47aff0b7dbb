/** Numbers, times and names as people read them. */
import type { Vocabulary } from './types';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(size: number): string {
  let unit = 0;
  while (size >= 1023.5 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-GB')} ${n === 1 ? one : many}`;
}

/** `2026-11-25 08:15`, in the reader's own time zone. */
export function moment(iso: string): string {
  const t = new Date(iso);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${two(t.getHours())}:${two(t.getMinutes())}`;
}

/** The vocabulary's title of a data type or file format; the id itself when it has none. */
export function termTitle(
  vocabulary: Vocabulary | null,
  kind: 'data_types' | 'file_formats',
  id: string
): string {
  return vocabulary?.[kind].find(term => term.id === id)?.title ?? id;
}

/** Words of the service as a sentence of their own. */
export function asSentence(words: string): string {
  return words && `${words[0]!.toUpperCase()}${words.slice(1).replace(/\.?$/, '.')}`;
}

/** The date alone. */
export function day(iso: string): string {
  return moment(iso).slice(0, 10);
}

export function naturalCompare(a: string, b: string): number {
  return a.localeCompare(b, undefined, { numeric: true, sensitivity: 'base' });
}

/** An amount of money, or of hours where there is no currency: `12.60 EUR`, `0.004 EUR`. */
export function money(amount: number, currency: string | null): string {
  const small = Math.abs(amount) < 0.1 && amount !== 0;
  const number = amount.toLocaleString('en-GB', {
    minimumFractionDigits: 2,
    maximumFractionDigits: small ? 4 : 2
  });
  return currency ? `${number} ${currency}` : number;
}

export function hours(amount: number): string {
  return amount.toLocaleString('en-GB', { maximumFractionDigits: amount < 10 ? 2 : 1 });
}
