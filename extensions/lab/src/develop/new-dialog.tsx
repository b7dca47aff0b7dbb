/** A new tool from the template, as a folder in the person's own home. */
import { useState } from 'react';

import type { Core } from '../core';
import { Notice } from '../shared/components';
import { RadioField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { KINDS, TOOL_NAME, type Kind } from './words';

export function NewToolDialog({
  core,
  onMade,
  onClose
}: {
  core: Core;
  /** Called with the path of the new folder, from the home. */
  onMade: (path: string) => void;
  onClose: () => void;
}): JSX.Element {
  const [name, setName] = useState('');
  const [kind, setKind] = useState<Kind>('python');
  const wrong = name !== '' && !TOOL_NAME.test(name);
  return (
    <FormDialog
      title="New tool"
      testId="new-tool-dialog"
      confirm={{ label: 'Make it', icon: 'check', testId: 'new-tool-make', disabled: !name || wrong }}
      save={async () => onMade((await core.api.newTool(name, kind)).path)}
      onClose={onClose}
    >
      <TextField
        label="Name"
        hint="It becomes the folder’s name, and stays."
        error={wrong ? 'Write lower-case letters, digits and hyphens, as in lung-volume.' : undefined}
        placeholder="lung-volume"
        testId="new-tool-name"
        maxLength={63}
        mono
        value={name}
        onChange={setName}
      />
      <RadioField
        label="What it is written in"
        testId="new-tool-kind"
        value={kind}
        onChange={setKind}
        options={KINDS}
      />
      <Notice kind="info">
        You get a small tool that works: <code>tool.json</code> says what it takes and gives, beside it lies
        the program. Change both, check, and submit.
      </Notice>
    </FormDialog>
  );
}
