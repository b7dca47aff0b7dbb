/** Comma- or tab-separated text as rows (RFC 4180: quoted fields may hold separators, quotes and line ends). */

export interface Sheet {
  header: string[];
  rows: string[][];
  /** There was more than `limit` rows. */
  cut: boolean;
}

export function parseSheet(text: string, limit = 20_000): Sheet {
  const firstLine = text.slice(0, text.search(/\r|\n|$/));
  const separator = ['\t', ';', ','].find(s => firstLine.includes(s)) ?? ',';
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let quoted = false;
  const endRow = (): void => {
    row.push(field);
    field = '';
    if (row.length > 1 || row[0] !== '') {
      rows.push(row);
    }
    row = [];
  };
  let i = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  for (; i < text.length && rows.length <= limit; i++) {
    const c = text[i]!;
    if (quoted) {
      if (c !== '"') {
        field += c;
      } else if (text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else {
        quoted = false;
      }
    } else if (c === '"' && field === '') {
      quoted = true;
    } else if (c === separator) {
      row.push(field);
      field = '';
    } else if (c === '\n') {
      endRow();
    } else if (c !== '\r') {
      field += c;
    }
  }
  if (field || row.length) {
    endRow();
  }
  return { header: rows[0] ?? [], rows: rows.slice(1, limit + 1), cut: i < text.length };
}

/** Rows by one column: numbers as numbers, the rest as people sort names; empty cells last. */
export function sortRows(rows: readonly string[][], column: number, descending: boolean): string[][] {
  const numeric = rows.every(row => !row[column]?.trim() || Number.isFinite(Number(row[column])));
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[column]?.trim() ?? '', b[column]?.trim() ?? ''];
    if (!x || !y) {
      return Number(!x) - Number(!y);
    }
    return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, undefined, { numeric: true }));
  });
}
