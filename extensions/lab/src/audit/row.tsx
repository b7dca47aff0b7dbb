/** One record: a sentence, and on demand what the log holds of it. */
import { useId, useState } from 'react';

import type { Core } from '../core';
import { Button, Copyable } from '../shared/components';
import { Icon } from '../shared/icons';
import type { AuditEvent } from '../shared/types';
import { clock } from './words';

const CHIPS: Record<string, { title: string; kind: string }> = {
  denied: { title: 'refused', kind: 'bad' },
  failure: { title: 'failed', kind: 'wait' }
};

function Facts({ core, event, auditor }: { core: Core; event: AuditEvent; auditor: boolean }): JSX.Element {
  const detail = Object.entries(event.detail);
  return (
    <>
      <dl className="vx-Facts">
        <div>
          <dt>Record</dt>
          <dd>
            number {event.seq.toLocaleString('en-GB')},{' '}
            {event.key ? 'signed' : 'written before signing began'}
          </dd>
        </div>
        <div>
          <dt>Time</dt>
          <dd>{event.at.slice(0, 23).replace('T', ' ')} UTC</dd>
        </div>
        <div>
          <dt>Action</dt>
          <dd>
            <code>{event.action}</code>
          </dd>
        </div>
        <div>
          <dt>Resource</dt>
          <dd>
            <Copyable text={event.resource} label="the resource" />
          </dd>
        </div>
        {detail.map(([name, value]) => (
          <div key={name}>
            <dt>{name.replaceAll('_', ' ')}</dt>
            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
      {auditor && (
        <a
          className="vx-Button"
          href={core.api.downloadUrl(`/audit/proof/${event.seq}`)}
          download={`proof-${event.seq}.json`}
          title="Shows anybody that this record is in the signed log. docs/verify_audit.py checks it."
        >
          <Icon name="shield" />
          Save its proof
        </a>
      )}
    </>
  );
}

export function ActivityRow({
  core,
  event,
  mine,
  auditor
}: {
  core: Core;
  event: AuditEvent;
  mine: boolean;
  auditor: boolean;
}): JSX.Element {
  const [open, setOpen] = useState(false);
  const id = useId();
  const chip = CHIPS[event.outcome];
  return (
    <li className="vx-Activity-row" data-testid="activity-row" data-seq={event.seq}>
      <div className="vx-Activity-line">
        <time dateTime={event.at}>{clock(event.at)}</time>
        <p>
          <strong>{mine ? 'You' : event.actor}</strong> {event.sentence}.
          {chip && <span className={`vx-Chip vx-mod-${chip.kind}`}>{chip.title}</span>}
        </p>
        <Button
          label={open ? 'Hide what is recorded' : 'Show what is recorded'}
          icon="chevron"
          iconOnly
          kind="quiet"
          expanded={open}
          onClick={() => setOpen(before => !before)}
        />
      </div>
      {open && (
        <div className="vx-Activity-facts" id={id}>
          <Facts core={core} event={event} auditor={auditor} />
        </div>
      )}
    </li>
  );
}
