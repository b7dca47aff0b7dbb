/** What becomes of chosen files: title, project, type; and a text file written on the spot. */
import { useMemo, useState } from 'react';

import type { Core } from '../core';
import type { Project } from '../shared/types';
import { Button, Dialog, Field, Notice } from '../shared/components';
import { bytes, count, naturalCompare } from '../shared/format';
import { useStore } from '../shared/store';
import type { Picked } from './collect';
import { proposeTitle } from './collect';

const SHOWN = 200;

export function writableProjects(core: Core): Project[] {
  return (core.me.get()?.projects ?? []).filter(project => project.role !== 'administrator');
}

/** Where data goes unless somebody says otherwise: the project asked for, else the first that takes it. */
export function defaultProject(core: Core, wanted: string): string {
  const projects = writableProjects(core);
  return (projects.find(p => p.name === wanted) ?? projects.find(p => p.open) ?? projects[0])?.name ?? '';
}

function ProjectSelect({
  core,
  value,
  onChange
}: {
  core: Core;
  value: string;
  onChange: (name: string) => void;
}) {
  return (
    <Field label="Project">
      {ids => (
        <select
          {...ids}
          className="vx-Input"
          value={value}
          data-testid="upload-project"
          onChange={e => onChange(e.target.value)}
        >
          {writableProjects(core).map(project => (
            <option key={project.id} value={project.name}>
              {project.title || project.name}
              {project.kind === 'personal' ? ' (only you)' : ''}
              {project.open ? '' : ' – clinical'}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function ProjectNotes({ core, name, size }: { core: Core; name: string; size: number }) {
  const project = useStore(core.me)?.projects.find(p => p.name === name);
  if (!project) {
    return null;
  }
  const left = project.quota_bytes - project.used_bytes - project.reserved_bytes;
  return (
    <>
      {!project.open && (
        <Notice kind="warning">
          <strong>{project.title || project.name} is a clinical project.</strong> Imports into it wait for the
          clinical door; choose an open project for data without patients’ names.
        </Notice>
      )}
      {size > left && (
        <Notice kind="warning">
          This needs {bytes(size)} and the project has {bytes(Math.max(0, left))} left.
        </Notice>
      )}
    </>
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
  const vocabulary = useStore(core.vocabulary);
  const [title, setTitle] = useState(() => proposeTitle(picked));
  const [target, setTarget] = useState(() => defaultProject(core, project));
  const [dataType, setDataType] = useState('');
  const [format, setFormat] = useState('');
  const [unpack, setUnpack] = useState(true);
  const sorted = useMemo(() => [...picked].sort((a, b) => naturalCompare(a.path, b.path)), [picked]);
  const size = useMemo(() => picked.reduce((sum, { file }) => sum + file.size, 0), [picked]);
  const archives = picked.some(({ path }) => /\.(zip|tar|tgz|tar\.gz)$/i.test(path));
  const formats = vocabulary?.data_types.find(term => term.id === dataType)?.formats;
  const start = (): void => {
    const order = {
      project: target,
      title: title.trim(),
      unpack,
      data_type: dataType || undefined,
      file_format: format || undefined
    };
    core.uploads.begin(order, picked);
    onClose();
  };
  return (
    <Dialog
      title="Upload to VoxelHub"
      testId="upload-dialog"
      wide
      onClose={onClose}
      actions={
        <>
          <Button label="Cancel" onClick={onClose} />
          <Button
            label="Upload"
            icon="upload"
            kind="primary"
            testId="upload-start"
            disabled={!title.trim() || !target}
            onClick={start}
          />
        </>
      }
    >
      <div className="vx-Form-columns">
        <Field label="Title of the dataset" hint="A title that the project already has gets a new version.">
          {ids => (
            <input
              {...ids}
              className="vx-Input"
              data-testid="upload-title"
              value={title}
              maxLength={200}
              onChange={e => setTitle(e.target.value)}
            />
          )}
        </Field>
        <ProjectSelect core={core} value={target} onChange={setTarget} />
        <Field label="Data type">
          {ids => (
            <select
              {...ids}
              className="vx-Input"
              value={dataType}
              onChange={e => {
                setDataType(e.target.value);
                setFormat('');
              }}
            >
              <option value="">Let the content decide</option>
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
              <option value="">Let the content decide</option>
              {vocabulary?.file_formats
                .filter(term => !formats?.length || formats.includes(term.id))
                .map(term => (
                  <option key={term.id} value={term.id}>
                    {term.title}
                  </option>
                ))}
            </select>
          )}
        </Field>
      </div>
      {archives && (
        <label className="vx-Check">
          <input type="checkbox" checked={unpack} onChange={e => setUnpack(e.target.checked)} /> Unpack ZIP
          and TAR archives
        </label>
      )}
      <ProjectNotes core={core} name={target} size={size} />
      <div className="vx-FileList" role="group" aria-label="Files">
        <div className="vx-FileList-head">
          {count(picked.length, 'file')}, {bytes(size)}
        </div>
        <ul>
          {sorted.slice(0, SHOWN).map(({ path, file }) => (
            <li key={path}>
              <span title={path}>{path}</span>
              <span>{bytes(file.size)}</span>
            </li>
          ))}
          {picked.length > SHOWN && <li>… and {count(picked.length - SHOWN, 'more', 'more')}</li>}
        </ul>
      </div>
    </Dialog>
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
  const [target, setTarget] = useState(() => defaultProject(core, project));
  const wrong = /[/\\]/.test(name) || !name.trim() ? 'A name without slashes.' : '';
  const save = (): void => {
    const file = new File([text], name.trim(), { type: 'text/plain' });
    core.uploads.begin({ project: target, title: name.trim(), unpack: false }, [{ file, path: name.trim() }]);
    onClose();
  };
  return (
    <Dialog
      title="New text file"
      testId="text-dialog"
      wide
      onClose={onClose}
      actions={
        <>
          <Button label="Cancel" onClick={onClose} />
          <Button
            label="Save"
            kind="primary"
            testId="text-save"
            disabled={!!wrong || !text || !target}
            onClick={save}
          />
        </>
      }
    >
      <div className="vx-Form-columns">
        <Field label="Name" error={wrong}>
          {ids => (
            <input
              {...ids}
              className="vx-Input"
              data-testid="text-name"
              value={name}
              maxLength={200}
              onChange={e => setName(e.target.value)}
            />
          )}
        </Field>
        <ProjectSelect core={core} value={target} onChange={setTarget} />
      </div>
      <Field label="Text">
        {ids => (
          <textarea
            {...ids}
            className="vx-Input vx-mod-mono"
            data-testid="text-content"
            rows={12}
            value={text}
            onChange={e => setText(e.target.value)}
          />
        )}
      </Field>
      <ProjectNotes core={core} name={target} size={text.length} />
    </Dialog>
  );
}
