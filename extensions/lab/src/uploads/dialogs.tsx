/** What becomes of chosen files; and a text file written on the spot. */
import { useMemo, useState } from 'react';

import type { Core } from '../core';
import { CheckField, TextAreaField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { bytes, count } from '../shared/format';
import { hasArchive, proposeTitle, type Picked } from './collect';
import { TargetFields, TargetNotes, useTarget } from './target';
import { TypingFields, type Typing } from './typing';

const SHOWN = 200;

function FileList({
  picked,
  size,
  clinical
}: {
  picked: readonly Picked[];
  size: number;
  clinical: boolean;
}): JSX.Element {
  return (
    <div className="vx-FileList" role="group" aria-label="Files">
      <div className="vx-FileList-head">
        {count(picked.length, 'file')}, {bytes(size)}
        {clinical && <small>Released files lose their names, too.</small>}
      </div>
      <ul>
        {picked.slice(0, SHOWN).map(({ path, file }) => (
          <li key={path}>
            <span title={path}>{path}</span>
            <span>{bytes(file.size)}</span>
          </li>
        ))}
        {picked.length > SHOWN && <li>… and {count(picked.length - SHOWN, 'more', 'more')}</li>}
      </ul>
    </div>
  );
}

export function UploadDialog({
  core,
  picked,
  project,
  onClose
}: {
  core: Core;
  picked: readonly Picked[];
  project: string;
  onClose: () => void;
}): JSX.Element {
  const target = useTarget(
    core,
    project,
    useMemo(() => proposeTitle(picked), [picked])
  );
  const [typing, setTyping] = useState<Typing>({});
  const [unpack, setUnpack] = useState(true);
  const size = useMemo(() => picked.reduce((sum, { file }) => sum + file.size, 0), [picked]);
  const start = (): void =>
    core.uploads.begin(
      { project: target.project, title: target.title.trim(), mode: target.mode, unpack, ...typing },
      picked
    );
  return (
    <FormDialog
      title="Upload to VoxelHub"
      testId="upload-dialog"
      wide
      confirm={{ label: 'Upload', icon: 'upload', testId: 'upload-start', disabled: !target.ready }}
      save={start}
      onClose={onClose}
    >
      <div className="vx-Form-columns">
        <TargetFields core={core} target={target} />
        <TypingFields core={core} value={typing} onChange={setTyping} />
      </div>
      {hasArchive(picked) && (
        <CheckField label="Unpack ZIP and TAR archives" value={unpack} onChange={setUnpack} />
      )}
      <TargetNotes core={core} target={target} size={size} />
      <FileList picked={picked} size={size} clinical={target.clinical} />
    </FormDialog>
  );
}

export function TextDialog({
  core,
  project,
  onClose
}: {
  core: Core;
  project: string;
  onClose: () => void;
}): JSX.Element {
  const [name, setName] = useState('notes.txt');
  const [text, setText] = useState('');
  const target = useTarget(core, project, name.trim(), 'Text');
  const wrong = /[/\\]/.test(name) || !name.trim() ? 'A name without slashes.' : '';
  const save = (): void => {
    const file = new File([text], name.trim(), { type: 'text/plain' });
    core.uploads.begin(
      { project: target.project, title: target.title.trim(), mode: target.mode, unpack: false },
      [{ file, path: name.trim() }]
    );
  };
  return (
    <FormDialog
      title="New text file"
      testId="text-dialog"
      wide
      confirm={{ label: 'Save', testId: 'text-save', disabled: !!wrong || !text || !target.ready }}
      save={save}
      onClose={onClose}
    >
      <TextField label="Name" error={wrong} testId="text-name" value={name} onChange={setName} />
      <div className="vx-Form-columns">
        <TargetFields core={core} target={target} />
      </div>
      <TextAreaField label="Text" mono testId="text-content" rows={12} value={text} onChange={setText} />
      <TargetNotes core={core} target={target} size={text.length} />
    </FormDialog>
  );
}
