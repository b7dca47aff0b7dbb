/** Rename, edit type, and the question before the trash. */
import { useState } from 'react';

import type { Core } from '../core';
import { asProblem, type ApiError } from '../shared/api';
import type { Entry } from '../shared/types';
import { Button, Dialog, Field, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useStore } from '../shared/store';
import { datasetsOf, trash } from './actions';

function useSaving(save: () => Promise<unknown>, onDone: () => void) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const go = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await save();
      onDone();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return { busy, problem, go: () => void go() };
}

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
  const saving = useSaving(async () => {
    if (name.trim() !== entry.name) {
      await core.api.patchEntry(entry.id, { name: name.trim() });
    }
    if (title.trim() !== entry.dataset_title) {
      await core.api.patchDataset(entry.dataset_id, { title: title.trim() });
    }
  }, onClose);
  return (
    <Dialog
      title="Rename"
      testId="rename-dialog"
      onClose={onClose}
      actions={
        <>
          <Button label="Cancel" onClick={onClose} />
          <Button
            label="Save"
            kind="primary"
            testId="rename-save"
            disabled={saving.busy || !name.trim() || !title.trim()}
            onClick={saving.go}
          />
        </>
      }
    >
      <Field label="Name in the table">
        {ids => (
          <input
            {...ids}
            className="vx-Input"
            data-testid="rename-name"
            value={name}
            maxLength={200}
            onChange={e => setName(e.target.value)}
          />
        )}
      </Field>
      <Field label="Title of the dataset" hint="Files and the path in notebooks keep their names.">
        {ids => (
          <input
            {...ids}
            className="vx-Input"
            value={title}
            maxLength={200}
            onChange={e => setTitle(e.target.value)}
          />
        )}
      </Field>
      {saving.problem && <ProblemNotice problem={saving.problem} />}
    </Dialog>
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
  const saving = useSaving(async () => {
    for (const entry of entries) {
      await core.api.patchEntry(entry.id, { data_type: dataType, file_format: format });
    }
  }, onClose);
  return (
    <Dialog
      title={entries.length === 1 ? 'Edit type' : `Edit type of ${count(entries.length, 'row')}`}
      testId="type-dialog"
      onClose={onClose}
      actions={
        <>
          <Button label="Cancel" onClick={onClose} />
          <Button label="Save" kind="primary" testId="type-save" disabled={saving.busy} onClick={saving.go} />
        </>
      }
    >
      <Field label="Data type">
        {ids => (
          <select
            {...ids}
            className="vx-Input"
            data-testid="type-data-type"
            value={dataType}
            onChange={e => setDataType(e.target.value)}
          >
            {vocabulary?.data_types.map(term => (
              <option key={term.id} value={term.id}>
                {term.title}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="File format">
        {ids => (
          <select {...ids} className="vx-Input" value={format} onChange={e => setFormat(e.target.value)}>
            {vocabulary?.file_formats.map(term => (
              <option key={term.id} value={term.id}>
                {term.title}
              </option>
            ))}
          </select>
        )}
      </Field>
      {saving.problem && <ProblemNotice problem={saving.problem} />}
    </Dialog>
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
  const confirm = (): void => {
    onClose();
    void trash(core, datasets);
  };
  return (
    <Dialog
      title="Move to the trash?"
      testId="trash-dialog"
      onClose={onClose}
      actions={
        <>
          <Button label="Cancel" onClick={onClose} />
          <Button label="Move to trash" icon="trash" kind="danger" testId="trash-confirm" onClick={confirm} />
        </>
      }
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
    </Dialog>
  );
}
