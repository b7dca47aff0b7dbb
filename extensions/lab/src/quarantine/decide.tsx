/** The question before a file is let in or refused: why, in writing, and what will happen. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Quarantined } from '../shared/types';
import { Notice } from '../shared/components';
import { TextAreaField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { bytes } from '../shared/format';
import { kindOf } from './items';

const LEAST = 10; // letters of a reason
const MOST = 2000;

export type Verb = 'release' | 'reject';

function Consequences({ item, verb }: { item: Quarantined; verb: Verb }): JSX.Element {
  if (verb === 'reject') {
    return (
      <Notice kind="warning">
        The file and its name are <strong>removed for good</strong>. The record of this decision stays; the
        other files of its import are not touched.
      </Notice>
    );
  }
  return (
    <Notice kind="warning" icon="shield">
      The file passes the door once more: what identifies a patient in its data is removed, but{' '}
      <strong>what held it here stays in it, on your word</strong>. It joins “{item.title}” as a new version,
      which everyone in the project can see.
    </Notice>
  );
}

export function DecideDialog({
  core,
  item,
  verb,
  onClose
}: {
  core: Core;
  item: Quarantined;
  verb: Verb;
  onClose: () => void;
}): JSX.Element {
  const [reason, setReason] = useState('');
  const length = reason.trim().length;
  const save = async (): Promise<void> => {
    const decided = await core.api.decideQuarantined(item.id, verb, reason.trim());
    if (decided.release_run_id) {
      core.uploads.followRun(await core.api.run(decided.release_run_id));
    }
  };
  return (
    <FormDialog
      title={verb === 'release' ? 'Release this file?' : 'Reject this file?'}
      testId="decide-dialog"
      wide
      confirm={{
        label: verb === 'release' ? 'Release' : 'Reject',
        icon: verb === 'release' ? 'check' : 'trash',
        kind: verb === 'release' ? 'primary' : 'danger',
        testId: 'decide-confirm',
        disabled: length < LEAST
      }}
      save={save}
      onClose={onClose}
    >
      <div className="vx-Case">
        <strong>
          File {item.number} of {item.run}: {kindOf(item)}, {bytes(item.size)}
        </strong>
        <span>{item.reason.split('\n')[0]}</span>
      </div>
      <TextAreaField
        label="Your reason"
        hint="It is kept and recorded under your name. Name no patient in it."
        counter={length < LEAST ? `${length} of at least ${LEAST} letters` : `${length} of ${MOST} letters`}
        testId="decide-reason"
        rows={4}
        maxLength={MOST}
        value={reason}
        onChange={setReason}
      />
      <Consequences item={item} verb={verb} />
    </FormDialog>
  );
}
