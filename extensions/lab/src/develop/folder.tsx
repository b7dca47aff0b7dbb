/** A folder of the home that is to become a tool: choose, check, submit. */
import { useState } from 'react';

import type { Core } from '../core';
import { asProblem, type ApiError } from '../shared/api';
import type { ToolCheck } from '../shared/types';
import { Button, Notice, ProblemNotice } from '../shared/components';
import { TextAreaField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { count } from '../shared/format';
import { ToolFindings } from './findings';

export interface Folders {
  /** Opens a chooser; null when it was closed without a choice. */
  choose: () => Promise<string | null>;
  show: (path: string) => void;
}

function Verdict({ check }: { check: ToolCheck }): JSX.Element {
  const errors = (check.findings ?? []).filter(one => one.level === 'error').length;
  return check.ok ? (
    <Notice kind="info" icon="check">
      <strong>
        {check.title} {check.version}
      </strong>{' '}
      can be submitted.
    </Notice>
  ) : (
    <Notice kind="warning">
      <strong>{count(errors, 'thing')} to mend</strong> before it can be submitted.
    </Notice>
  );
}

function SubmitDialog({
  core,
  path,
  check,
  onClose
}: {
  core: Core;
  path: string;
  check: ToolCheck;
  onClose: () => void;
}): JSX.Element {
  const [note, setNote] = useState('');
  return (
    <FormDialog
      title={`Submit ${check.name} ${check.version}?`}
      testId="submit-tool-dialog"
      confirm={{ label: 'Submit', icon: 'upload', testId: 'submit-tool-confirm' }}
      save={() => core.api.submitTool(path, note.trim())}
      onClose={onClose}
    >
      <p>
        An administrator reads the manifest, what changed, and what the tool asks for. Until it is approved,
        only you can see and run it. The submitted folder is kept as it is now.
      </p>
      <TextAreaField
        label="Note for the review (optional)"
        hint="What it does, what changed, how you tested it."
        testId="submit-tool-note"
        rows={3}
        maxLength={2000}
        value={note}
        onChange={setNote}
      />
    </FormDialog>
  );
}

export function ToolFolder({
  core,
  folders,
  path,
  onPath,
  onSubmitted
}: {
  core: Core;
  folders: Folders;
  path: string;
  onPath: (path: string) => void;
  onSubmitted: () => void;
}): JSX.Element {
  const [check, setCheck] = useState<ToolCheck | null>(null);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [submitting, setSubmitting] = useState(false);
  const change = (to: string): void => {
    setCheck(null);
    setProblem(null);
    onPath(to);
  };
  const look = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      setCheck(await core.api.checkTool(path));
    } catch (error) {
      setCheck(null);
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  const choose = async (): Promise<void> => {
    const chosen = await folders.choose();
    if (chosen !== null) {
      change(chosen);
    }
  };
  return (
    <section className="vx-Section" aria-label="Check and submit a folder">
      <h3>Check and submit a folder</h3>
      <div className="vx-ToolFolder">
        <TextField
          label="Folder with tool.json, from your home"
          placeholder="my-tool"
          testId="tool-folder"
          mono
          maxLength={1000}
          value={path}
          onChange={change}
        />
        <div className="vx-Buttons">
          <Button label="Choose…" icon="folder" onClick={() => void choose()} />
          <Button
            label={busy ? 'Checking …' : 'Check'}
            icon="search"
            kind={check?.ok ? 'plain' : 'primary'}
            testId="check-tool"
            disabled={!path || busy}
            onClick={() => void look()}
          />
          <Button
            label="Submit…"
            icon="upload"
            kind={check?.ok ? 'primary' : 'plain'}
            testId="submit-tool"
            title={check?.ok ? undefined : 'Check the folder first'}
            disabled={!check?.ok}
            onClick={() => setSubmitting(true)}
          />
        </div>
      </div>
      <div aria-live="polite">
        {problem && <ProblemNotice problem={problem} />}
        {check && <Verdict check={check} />}
        {check && <ToolFindings findings={check.findings ?? []} />}
      </div>
      {submitting && check && (
        <SubmitDialog
          core={core}
          path={path}
          check={check}
          onClose={() => {
            setSubmitting(false);
            onSubmitted();
          }}
        />
      )}
    </section>
  );
}
