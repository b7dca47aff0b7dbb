// Numbers as a person reads them; the same everywhere.

const grouped = new Intl.NumberFormat('en-GB');

export function count(value: number, one: string, many = `${one}s`): string {
  return `${grouped.format(value)} ${value === 1 ? one : many}`;
}

export function whole(value: number): string {
  return grouped.format(Math.round(value));
}

/** Three digits that count, without an exponent. */
export function digits(value: number, places = 3): string {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.min(Math.max(places - 1 - magnitude, 0), 8);
  return Math.abs(value) >= 1000 ? grouped.format(Math.round(value)) : value.toFixed(decimals);
}

export function money(usd: number): string {
  return usd === 0 ? '0 USD' : `${digits(usd)} USD`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${digits(seconds)} s`;
  const total = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (hours) return minutes ? `${grouped.format(hours)} h ${minutes} min` : `${grouped.format(hours)} h`;
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

export function percent(fraction: number): string {
  const value = fraction * 100;
  if (value === 0) return '0 %';
  if (Math.abs(value) < 0.01) return 'under 0.01 %';
  const decimals = Math.abs(value) < 1 ? 2 : Math.abs(value) < 10 ? 1 : 0;
  return `${value.toFixed(decimals).replace(/\.0+$/, '')} %`;
}

export function listed(parts: string[], last = 'and'): string {
  return parts.length < 2
    ? parts.join('')
    : `${parts.slice(0, -1).join(', ')} ${last} ${parts[parts.length - 1]}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
