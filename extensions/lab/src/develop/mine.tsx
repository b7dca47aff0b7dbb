/** For who writes tools: a new one, a folder to check and submit, and what became of those submitted. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Submission } from '../shared/types';
import { Button, Empty, Notice, ProblemNotice } from '../shared/components';
import { moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { ToolFindings } from './findings';
import { ToolFolder, type Folders } from './folder';
import { NewToolDialog } from './new-dialog';
import { STATES } from './words';

export function SubmissionHead({ submission }: { submission: Submission }): JSX.Element {
  const state = STATES[submission.state];
  return (
    <div className="vx-Run-head">
      <span className={`vx-Chip vx-mod-${state.tone}`}>{state.text}</span>
      <strong>{submission.title}</strong>
      <small className="vx-Muted">
        {submission.name} {submission.version}
        {submission.attempt > 1 && `, submitted for the ${submission.attempt}. time`}
      </small>
    </div>
  );
}

export function Decided({ submission }: { submission: Submission }): JSX.Element | null {
  if (!submission.decided_at || !submission.decision) {
    return null;
  }
  return (
    <div className="vx-Decided">
      <q className="vx-Quote">{submission.decision}</q>
      <small className="vx-Muted">
        {[submission.decided_by, moment(submission.decided_at)].filter(Boolean).join(', ')}
      </small>
    </div>
  );
}

function Mine({
  core,
  submission,
  onTry,
  onChanged
}: {
  core: Core;
  submission: Submission;
  onTry: () => void;
  onChanged: () => void;
}): JSX.Element {
  const [open, setOpen] = useState(false);
  const runnable = submission.state === 'submitted' || submission.state === 'approved';
  const withdraw = (): void =>
    void core.api.withdrawSubmission(submission.id).then(onChanged, error => core.report(error));
  return (
    <li
      className="vx-Card"
      data-testid="my-submission"
      data-name={submission.name}
      data-state={submission.state}
    >
      <SubmissionHead submission={submission} />
      <small className="vx-Muted">
        submitted {moment(submission.created_at)}
        {submission.state === 'submitted' && ' · only you can see and run it'}
        {submission.state === 'approved' &&
          ` · ${submission.groups.length ? `for ${submission.groups.join(', ')}` : 'for everyone'}`}
      </small>
      <Decided submission={submission} />
      {!submission.ready && runnable && (
        <Notice kind="warning">
          Its environment is not installed here. An administrator installs it; until then it cannot run.
        </Notice>
      )}
      <div className="vx-Buttons vx-mod-compact">
        {runnable && submission.ready && (
          <Button label="Run it on your data" icon="play" kind="quiet" testId="try-tool" onClick={onTry} />
        )}
        {submission.findings.length > 0 && (
          <Button
            label="What the scan said"
            icon="chevron"
            kind="quiet"
            expanded={open}
            onClick={() => setOpen(on => !on)}
          />
        )}
        {submission.may_withdraw && (
          <Button label="Withdraw" icon="close" kind="quiet" testId="withdraw-tool" onClick={withdraw} />
        )}
      </div>
      {open && <ToolFindings findings={submission.findings} />}
    </li>
  );
}

export function MyTools({
  core,
  me,
  folders,
  onTry
}: {
  core: Core;
  me: string;
  folders: Folders;
  onTry: () => void;
}): JSX.Element {
  const [path, setPath] = useState('');
  const [making, setMaking] = useState(false);
  const found = useLoaded(() => core.api.submissions(), []);
  useEffect(() => core.events.on('tool', found.reload), [core, found.reload]);
  const mine = (found.value?.items ?? []).filter(one => one.owner === me);
  return (
    <>
      <section className="vx-Section" aria-label="Begin">
        <p>
          A tool is a folder: <code>tool.json</code> says what goes in and comes out, and a program does the
          work. Package an analysis once, and everyone can run it on their data.
        </p>
        <div className="vx-Buttons">
          <Button label="New tool…" icon="tools" testId="new-tool" onClick={() => setMaking(true)} />
        </div>
      </section>
      <ToolFolder core={core} folders={folders} path={path} onPath={setPath} onSubmitted={found.reload} />
      <section className="vx-Section" aria-label="My submitted tools">
        <h3>My submitted tools</h3>
        {found.problem && <ProblemNotice problem={found.problem} onRetry={found.reload} />}
        {found.value && mine.length === 0 && (
          <Empty icon="tools" title="You have submitted no tool yet">
            When you submit one, its review shows here.
          </Empty>
        )}
        <ul className="vx-List">
          {mine.map(one => (
            <Mine key={one.id} core={core} submission={one} onTry={onTry} onChanged={found.reload} />
          ))}
        </ul>
      </section>
      {making && (
        <NewToolDialog
          core={core}
          onMade={made => {
            setPath(made);
            folders.show(made);
          }}
          onClose={() => setMaking(false)}
        />
      )}
    </>
  );
}
