/** Rename, edit type, and the question before the trash. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Entry } from '../shared/types';
import { SelectField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { count } from '../shared/format';
import { useStore } from '../shared/store';
import { datasetsOf, trash } from './actions';

export function RenameDialog({
  core,
  entry,
  onClose
}: {
  core: Core;
  entry: Entry;
  onClose: () => void;
}): JSX.Element {
  const [name, setName] = useState(entry.name);
  const [title, setTitle] = useState(entry.dataset_title);
  const save = async (): Promise<void> => {
    if (name.trim() !== entry.name) {
      await core.api.patchEntry(entry.id, { name: name.trim() });
    }
    if (title.trim() !== entry.dataset_title) {
      await core.api.patchDataset(entry.dataset_id, { title: title.trim() });
    }
  };
  return (
    <FormDialog
      title="Rename"
      testId="rename-dialog"
      confirm={{ label: 'Save', testId: 'rename-save', disabled: !name.trim() || !title.trim() }}
      save={save}
      onClose={onClose}
    >
      <TextField label="Name in the table" testId="rename-name" value={name} onChange={setName} />
      <TextField
        label="Title of the dataset"
        hint="Files and the path in notebooks keep their names."
        value={title}
        onChange={setTitle}
      />
    </FormDialog>
  );
}

export function TypeDialog({
  core,
  entries,
  onClose
}: {
  core: Core;
  entries: readonly Entry[];
  onClose: () => void;
}): JSX.Element {
  const vocabulary = useStore(core.vocabulary);
  const [dataType, setDataType] = useState(entries[0]!.data_type);
  const [format, setFormat] = useState(entries[0]!.file_format);
  const save = async (): Promise<void> => {
    for (const entry of entries) {
      await core.api.patchEntry(entry.id, { data_type: dataType, file_format: format });
    }
  };
  return (
    <FormDialog
      title={entries.length === 1 ? 'Edit type' : `Edit type of ${count(entries.length, 'row')}`}
      testId="type-dialog"
      confirm={{ label: 'Save', testId: 'type-save' }}
      save={save}
      onClose={onClose}
    >
      <SelectField
        label="Data type"
        testId="type-data-type"
        value={dataType}
        options={vocabulary?.data_types ?? []}
        onChange={setDataType}
      />
      <SelectField
        label="File format"
        value={format}
        options={vocabulary?.file_formats ?? []}
        onChange={setFormat}
      />
    </FormDialog>
  );
}

export function TrashDialog({
  core,
  entries,
  onClose
}: {
  core: Core;
  entries: readonly Entry[];
  onClose: () => void;
}): JSX.Element {
  const datasets = datasetsOf(entries);
  return (
    <FormDialog
      title="Move to the trash?"
      testId="trash-dialog"
      confirm={{ label: 'Move to trash', icon: 'trash', kind: 'danger', testId: 'trash-confirm' }}
      save={() => void trash(core, datasets)}
      onClose={onClose}
    >
      <p>
        {datasets.length === 1
          ? 'This dataset goes to the trash with all its rows and versions:'
          : `These ${datasets.length} datasets go to the trash with all their rows and versions:`}
      </p>
      <ul className="vx-Bullets">
        {datasets.slice(0, 10).map(dataset => (
          <li key={dataset.id}>
            <strong>{dataset.title}</strong>
          </li>
        ))}
        {datasets.length > 10 && <li>… and {datasets.length - 10} more</li>}
      </ul>
      <p className="vx-Muted">It can be restored from the trash until it is purged.</p>
    </FormDialog>
  );
}
