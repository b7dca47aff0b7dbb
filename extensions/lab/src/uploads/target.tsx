/** Where data goes: project, title, and what becomes of a dataset that has that title already. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Dataset, Project, VersionMode } from '../shared/types';
import { Notice } from '../shared/components';
import { RadioField, SelectField, TextField } from '../shared/fields';
import { bytes, count, moment } from '../shared/format';
import { useLoaded, useSettled } from '../shared/hooks';
import { useStore } from '../shared/store';

const KNOWN = 500; // datasets among which a title is looked for

export const DOOR = 'What identifies patients is removed; files that cannot be made safe wait in quarantine.';

export function writableProjects(core: Core): Project[] {
  return (core.me.get()?.projects ?? []).filter(project => project.role !== 'administrator');
}

/** Where data goes unless somebody says otherwise: the project asked for, else the first that takes it. */
export function defaultProject(core: Core, wanted: string): string {
  const projects = writableProjects(core);
  return (projects.find(p => p.name === wanted) ?? projects.find(p => p.open) ?? projects[0])?.name ?? '';
}

export function projectLabel(project: Project): string {
  const only = project.kind === 'personal' ? ' (only you)' : '';
  return `${project.title || project.name}${only}${project.open ? '' : ' – clinical'}`;
}

export interface Target {
  project: string;
  title: string;
  mode: VersionMode;
  clinical: boolean;
  /** The dataset of that title, if the project has one. */
  existing: Dataset | null;
  titles: readonly string[];
  ready: boolean;
  setProject: (name: string) => void;
  setTitle: (title: string) => void;
  setMode: (mode: VersionMode) => void;
}

/**
 * `proposed` is the title where the project is open. For a clinical one it may name a patient, as folders often do:
 * there the proposal is the `word` and the time.
 */
export function useTarget(core: Core, wanted: string, proposed: string, word = 'Import'): Target {
  useStore(core.me);
  const [now] = useState(() => moment(new Date().toISOString()));
  const [project, setProject] = useState(() => defaultProject(core, wanted));
  const [typed, setTitle] = useState<string | null>(null);
  const [mode, setMode] = useState<VersionMode>('add');
  const clinical = core.clinical(project);
  const title = typed ?? (clinical ? `${word} ${now}` : proposed);
  const asked = useSettled(title.trim(), 200);
  const known = useLoaded(
    async () => (project ? core.api.datasets({ project, q: asked, limit: KNOWN }) : null),
    [project, asked]
  );
  const datasets = known.value?.items ?? [];
  return {
    project,
    title: title.trim() ? title : '',
    mode,
    clinical,
    existing: datasets.find(one => one.title === title.trim() && one.project === project) ?? null,
    titles: datasets.map(one => one.title),
    ready: !!project && !!title.trim(),
    setProject,
    setTitle,
    setMode
  };
}

/** The two fields of a target; they stand beside other fields of a form. */
export function TargetFields({ core, target }: { core: Core; target: Target }): JSX.Element {
  return (
    <>
      <TextField
        label="Title of the dataset"
        hint={
          target.clinical
            ? 'Everyone in the project reads it: name no patient.'
            : 'A title that the project already has gets a new version.'
        }
        testId="upload-title"
        value={target.title}
        suggestions={target.titles}
        onChange={target.setTitle}
      />
      <SelectField
        label="Project"
        testId="upload-project"
        value={target.project}
        options={writableProjects(core).map(one => ({ id: one.name, title: projectLabel(one) }))}
        onChange={target.setProject}
      />
    </>
  );
}

function ModeChoice({ target, existing }: { target: Target; existing: Dataset }): JSX.Element {
  const last = existing.versions.reduce<Dataset['versions'][number] | null>(
    (newest, one) => (newest && newest.number > one.number ? newest : one),
    null
  );
  const [before, after] = [`version ${last?.number ?? 0}`, `Version ${(last?.number ?? 0) + 1}`];
  return (
    <RadioField
      label={`“${existing.title}” exists already. ${before.charAt(0).toUpperCase()}${before.slice(1)} stays as it is.`}
      testId="upload-mode"
      value={target.mode}
      onChange={target.setMode}
      options={[
        {
          id: 'add',
          title: 'Add to it',
          hint: `${after} holds the ${count(last?.n_files ?? 0, 'file')} of ${before} and these. Of two at the same path, the new one.`
        },
        { id: 'replace', title: 'Replace', hint: `${after} holds only these files.` }
      ]}
    />
  );
}

/** What must be known before data is sent there: version, door, room. `size` in bytes, null while unknown. */
export function TargetNotes({
  core,
  target,
  size
}: {
  core: Core;
  target: Target;
  size: number | null;
}): JSX.Element {
  const project = useStore(core.me)?.projects.find(p => p.name === target.project);
  const left = project ? project.quota_bytes - project.used_bytes - project.reserved_bytes : 0;
  return (
    <>
      {target.existing && <ModeChoice target={target} existing={target.existing} />}
      {target.clinical && (
        <Notice kind="info" icon="shield">
          <strong>Clinical project.</strong> {DOOR}
        </Notice>
      )}
      {project && size !== null && size > left && (
        <Notice kind="warning">
          This needs {bytes(size)} and the project has {bytes(Math.max(0, left))} left.
        </Notice>
      )}
    </>
  );
}
