/** One file that was not released: what it is, why, and what may be done. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Quarantined, QuarantineState } from '../shared/types';
import { Button } from '../shared/components';
import { bytes, day, moment } from '../shared/format';
import type { Verb } from './decide';
import { kindOf, words, type View } from './items';

const FINDINGS = 3; // shown before “more”

const STATE: Record<QuarantineState, { text: string; tone: 'wait' | 'live' | 'good' | 'bad' | 'off' }> = {
  held: { text: 'Waits', tone: 'wait' },
  releasing: { text: 'Being released', tone: 'live' },
  released: { text: 'Released', tone: 'good' },
  rejected: { text: 'Rejected', tone: 'bad' },
  expired: { text: 'Expired', tone: 'off' }
};

/** The file's own name may name a patient: it is asked for, shown until closed, and the look is recorded. */
function OwnName({ core, item }: { core: Core; item: Quarantined }): JSX.Element {
  const [name, setName] = useState<string | null>(null);
  const look = (): void => void core.api.quarantinedName(item.id).then(setName, e => core.report(e));
  if (name === null) {
    return (
      <Button
        label="Show name"
        icon="eye"
        kind="quiet"
        title="The file’s own name may name a patient. That you looked is recorded."
        testId="show-name"
        onClick={look}
      />
    );
  }
  return (
    <span className="vx-OwnName" data-testid="own-name" role="status">
      <code>{name}</code>
      <Button label="Hide name" icon="close" iconOnly kind="quiet" onClick={() => setName(null)} />
      <small>Recorded that you looked.</small>
    </span>
  );
}

function Findings({ item }: { item: Quarantined }): JSX.Element | null {
  const [all, setAll] = useState(false);
  const shown = all ? item.findings : item.findings.slice(0, FINDINGS);
  const more = item.findings.length - shown.length;
  if (shown.length === 0) {
    return null;
  }
  return (
    <ul className="vx-Findings">
      {shown.map(({ code, where, count = 1 }) => (
        <li key={`${code} ${where}`}>
          {words(code)} <code>{where}</code>
          {count > 1 && ` × ${count.toLocaleString('en-GB')}`}
        </li>
      ))}
      {more > 0 && (
        <li>
          <Button label={`${more} more`} kind="quiet" expanded={false} onClick={() => setAll(true)} />
        </li>
      )}
    </ul>
  );
}

function Reason({ item }: { item: Quarantined }): JSX.Element {
  const [why, ...later] = item.reason.split('\n');
  return (
    <>
      <span>{why}</span>
      {later.map(line => (
        <p key={line} className="vx-Reason">
          {line}
        </p>
      ))}
      <Findings item={item} />
    </>
  );
}

function Actions({
  item,
  onDecide
}: {
  item: Quarantined;
  onDecide: (verb: Verb) => void;
}): JSX.Element | null {
  if (item.state !== 'held') {
    return null;
  }
  if (!item.may_decide) {
    return <small>A data steward or an owner of the project {item.project} decides.</small>;
  }
  const never = 'Nobody may let it in as it is. Reject it, and bring in a whole and clean one.';
  return (
    <div className="vx-Decide">
      <div className="vx-Buttons vx-mod-compact">
        <Button
          label="Release…"
          icon="check"
          testId="release"
          disabled={!item.releasable}
          title={item.releasable ? undefined : never}
          onClick={() => onDecide('release')}
        />
        <Button
          label="Reject…"
          icon="trash"
          kind="quiet"
          testId="reject"
          onClick={() => onDecide('reject')}
        />
      </div>
      {!item.releasable && <small>{never}</small>}
    </div>
  );
}

function Decision({ item }: { item: Quarantined }): JSX.Element {
  return (
    <>
      {item.decided_at && (
        <small>{[item.decided_by, moment(item.decided_at)].filter(Boolean).join(', ')}</small>
      )}
      {item.decision && <q className="vx-Quote">{item.decision}</q>}
      {item.state === 'expired' && <small>Nobody decided in time; the file was removed.</small>}
    </>
  );
}

export function ItemRow({
  core,
  item,
  view,
  onDecide,
  onResult
}: {
  core: Core;
  item: Quarantined;
  view: View;
  onDecide: (verb: Verb) => void;
  onResult: (run: string) => void;
}): JSX.Element {
  const state = STATE[item.state];
  const kept = item.state === 'held' || item.state === 'releasing';
  return (
    <tr data-testid="quarantined" data-state={item.state} data-code={item.code}>
      <th scope="row" className="vx-Cell">
        <span>
          File {item.number} <small>of {item.run}</small>
        </span>
        <span className="vx-What">{kindOf(item)}</span>
        <small>{bytes(item.size)}</small>
        {kept && <OwnName core={core} item={item} />}
      </th>
      <td className="vx-Cell-why">
        <Reason item={item} />
      </td>
      <td className="vx-Cell">
        <span title={item.title}>{item.title}</span>
        <small>
          {item.project}, {item.owner}
          <br />
          {moment(item.created_at)}
        </small>
      </td>
      <td className="vx-Cell">
        <span className={`vx-Chip vx-mod-${state.tone}`}>{state.text}</span>
        {view === 'waiting' ? (
          <small title="Then it is removed for good.">until {day(item.expires_at)}</small>
        ) : (
          <Decision item={item} />
        )}
      </td>
      <td>
        <Actions item={item} onDecide={onDecide} />
        {item.state === 'released' && item.release_run_id && (
          <Button
            label="Show dataset"
            icon="datasets"
            kind="quiet"
            testId="released-result"
            onClick={() => onResult(item.release_run_id!)}
          />
        )}
      </td>
    </tr>
  );
}
