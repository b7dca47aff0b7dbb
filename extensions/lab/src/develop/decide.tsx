/** An administrator's decision about a tool: what it will mean, for whom, and why. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Submission, ToolDecision } from '../shared/types';
import { Notice, type ButtonProps } from '../shared/components';
import { TextAreaField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';

export type Decision = ToolDecision['decision'];

const WORDS: Record<Decision, { verb: string; icon: ButtonProps['icon']; means: string }> = {
  approve: {
    verb: 'Approve',
    icon: 'check',
    means: 'Everyone in the groups below can run it on their data. This version can never change.'
  },
  reject: {
    verb: 'Reject',
    icon: 'close',
    means: 'It stays invisible to others. The developer reads your reason and may submit it again.'
  },
  retire: {
    verb: 'Retire',
    icon: 'trash',
    means:
      'Nobody can start it any more. Results made with it stay, and its old runs can be opened and repeated.'
  },
  restore: { verb: 'Restore', icon: 'restore', means: 'It can be started again.' }
};

export function ToolDecisionDialog({
  core,
  submission,
  decision,
  onClose
}: {
  core: Core;
  submission: Submission;
  decision: Decision;
  onClose: () => void;
}): JSX.Element {
  const [reason, setReason] = useState('');
  const [groups, setGroups] = useState(submission.groups.join(', '));
  const words = WORDS[decision];
  const opens = decision === 'approve' || decision === 'restore';
  const save = (): Promise<unknown> =>
    core.api.decideSubmission(submission.id, {
      decision,
      reason: reason.trim(),
      groups: opens
        ? groups
            .split(/[,\s]+/)
            .map(group => group.trim())
            .filter(Boolean)
        : []
    });
  return (
    <FormDialog
      title={`${words.verb} ${submission.name} ${submission.version}?`}
      testId="tool-decision-dialog"
      wide
      confirm={{
        label: words.verb,
        icon: words.icon,
        kind: opens ? 'primary' : 'danger',
        testId: 'tool-decision-confirm',
        disabled: reason.trim().length === 0
      }}
      save={save}
      onClose={onClose}
    >
      <p>{words.means}</p>
      {opens && (
        <TextField
          label="Only for these groups (optional)"
          hint="As in Keycloak, with commas between: /projects/lung, /projects/heart. Empty: everyone."
          placeholder="everyone"
          testId="tool-decision-groups"
          maxLength={2000}
          value={groups}
          onChange={setGroups}
        />
      )}
      <TextAreaField
        label="Your reason"
        hint="The developer reads it, and it is recorded under your name."
        testId="tool-decision-reason"
        rows={3}
        maxLength={2000}
        value={reason}
        onChange={setReason}
      />
      {opens && !submission.ready && (
        <Notice kind="warning">
          Its environment is not installed on this machine: it cannot run until somebody installs it with{' '}
          <code>
            voxelhub tool install {submission.name} {submission.version}
          </code>
          .
        </Notice>
      )}
    </FormDialog>
  );
}
