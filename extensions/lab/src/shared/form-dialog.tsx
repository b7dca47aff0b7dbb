/** A dialog that asks, does what was asked, and stays open with the reason where that failed. */
import { useState, type ReactNode } from 'react';

import { asProblem, type ApiError } from './api';
import { Button, Dialog, ProblemNotice, type ButtonProps } from './components';

export function FormDialog({
  title,
  testId,
  wide,
  confirm,
  save,
  onClose,
  children
}: {
  title: string;
  testId: string;
  wide?: boolean;
  confirm: Pick<ButtonProps, 'label' | 'icon' | 'kind' | 'disabled' | 'testId'>;
  /** What the confirming button does; the dialog closes when it is done. */
  save: () => Promise<unknown> | void;
  onClose: () => void;
  children: ReactNode;
}): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const go = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await save();
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      testId={testId}
      wide={wide}
      onClose={onClose}
      actions={
        <>
          <Button label="Cancel" onClick={onClose} />
          <Button kind="primary" {...confirm} disabled={busy || confirm.disabled} onClick={() => void go()} />
        </>
      }
    >
      {children}
      {problem && <ProblemNotice problem={problem} />}
    </Dialog>
  );
}
