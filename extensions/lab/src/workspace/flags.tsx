/** What the service found odd about a series, such as missing slices: to be known before a tool works on it. */
import type { Entry } from '../shared/types';
import { Notice } from '../shared/components';
import { Icon } from '../shared/icons';

export const FLAGS = 'flags'; // key in an entry's meta

interface Flag {
  code: string;
  text: string;
}

function isFlag(value: unknown): value is Flag {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Flag>).text === 'string';
}

export function flagsOf(entry: Entry): Flag[] {
  const flags = entry.meta[FLAGS];
  return Array.isArray(flags) ? flags.filter(isFlag) : [];
}

/** A badge in the table; the sentences are its tip and are read out. */
export function Flagged({ entry }: { entry: Entry }): JSX.Element | null {
  const flags = flagsOf(entry);
  if (flags.length === 0) {
    return null;
  }
  const text = flags.map(flag => flag.text).join(' ');
  return (
    <span className="vx-Flag" role="img" aria-label={`Warning: ${text}`} title={text} data-testid="flagged">
      <Icon name="warning" />
    </span>
  );
}

export function FlagNotices({ entry }: { entry: Entry }): JSX.Element {
  return (
    <>
      {flagsOf(entry).map(flag => (
        <Notice key={flag.code} kind="warning">
          {flag.text}
        </Notice>
      ))}
    </>
  );
}
