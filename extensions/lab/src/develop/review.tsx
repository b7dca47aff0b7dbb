/** For administrators: what waits for a decision, and what was decided. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Submission } from '../shared/types';
import { Button, Empty, ProblemNotice } from '../shared/components';
import { moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { ToolDecisionDialog, type Decision } from './decide';
import { ReviewDetail } from './detail';
import { Decided, SubmissionHead } from './mine';
import type { SubmissionState } from './words';

const OFFERED: Record<SubmissionState, { decision: Decision; label: string; primary?: boolean }[]> = {
  submitted: [
    { decision: 'approve', label: 'Approve…', primary: true },
    { decision: 'reject', label: 'Reject…' }
  ],
  approved: [
    { decision: 'approve', label: 'Change groups…' },
    { decision: 'retire', label: 'Retire…' }
  ],
  retired: [{ decision: 'restore', label: 'Restore…' }],
  rejected: [],
  withdrawn: []
};

function Detail({ core, id }: { core: Core; id: string }): JSX.Element {
  const detail = useLoaded(() => core.api.submission(id), [id]);
  if (detail.problem) {
    return <ProblemNotice problem={detail.problem} onRetry={detail.reload} />;
  }
  return detail.value ? (
    <ReviewDetail detail={detail.value} />
  ) : (
    <p className="vx-Muted" role="status">
      Reading …
    </p>
  );
}

function Reviewed({
  core,
  submission,
  open,
  onOpen,
  onDecide
}: {
  core: Core;
  submission: Submission;
  open: boolean;
  onOpen: () => void;
  onDecide: (decision: Decision) => void;
}): JSX.Element {
  const own = !submission.may_decide && submission.state === 'submitted';
  return (
    <li
      className="vx-Card"
      data-testid="review-item"
      data-name={submission.name}
      data-state={submission.state}
    >
      <SubmissionHead submission={submission} />
      <small className="vx-Muted">
        by {submission.owner}, {moment(submission.created_at)}
        {submission.state === 'approved' &&
          ` · ${submission.groups.length ? `for ${submission.groups.join(', ')}` : 'for everyone'}`}
      </small>
      <Decided submission={submission} />
      {own && <small>Somebody else must decide about a tool of yours.</small>}
      <div className="vx-Buttons vx-mod-compact">
        <Button
          label={open ? 'Close' : 'Read it'}
          icon="eye"
          kind="quiet"
          expanded={open}
          testId="review-open"
          onClick={onOpen}
        />
        {submission.may_decide &&
          OFFERED[submission.state].map(({ decision, label, primary }) => (
            <Button
              key={label}
              label={label}
              kind={primary && open ? 'primary' : 'plain'}
              testId={`review-${decision}`}
              onClick={() => onDecide(decision)}
            />
          ))}
      </div>
      {open && <Detail core={core} id={submission.id} />}
    </li>
  );
}

export function ReviewTools({ core }: { core: Core }): JSX.Element {
  const [waiting, setWaiting] = useState(true);
  const [opened, setOpened] = useState<string | null>(null);
  const [deciding, setDeciding] = useState<{ submission: Submission; decision: Decision } | null>(null);
  const found = useLoaded(() => core.api.submissions(), []);
  useEffect(() => core.events.on('tool', found.reload), [core, found.reload]);
  const all = found.value?.items ?? [];
  const shown = all.filter(one => (one.state === 'submitted') === waiting);
  return (
    <section className="vx-Section" aria-label="Review of tools">
      <div className="vx-Segments" role="group" aria-label="State">
        <Button
          label="Waiting"
          kind="quiet"
          badge={all.filter(one => one.state === 'submitted').length}
          pressed={waiting}
          onClick={() => setWaiting(true)}
        />
        <Button
          label="Decided"
          kind="quiet"
          pressed={!waiting}
          testId="review-decided"
          onClick={() => setWaiting(false)}
        />
      </div>
      {found.problem && <ProblemNotice problem={found.problem} onRetry={found.reload} />}
      {found.value && shown.length === 0 && (
        <Empty icon="shield" title={waiting ? 'No tool waits for review' : 'Nothing was decided yet'}>
          {waiting &&
            'What tool developers submit waits here. Until you approve it, only its developer sees it.'}
        </Empty>
      )}
      <ul className="vx-List">
        {shown.map(one => (
          <Reviewed
            key={one.id}
            core={core}
            submission={one}
            open={opened === one.id}
            onOpen={() => setOpened(id => (id === one.id ? null : one.id))}
            onDecide={decision => setDeciding({ submission: one, decision })}
          />
        ))}
      </ul>
      {deciding && (
        <ToolDecisionDialog
          core={core}
          {...deciding}
          onClose={() => {
            setDeciding(null);
            found.reload();
          }}
        />
      )}
    </section>
  );
}
