/** The Datasets sidebar: where to put data, how full the project is, what came lately. */
import { useEffect, useState } from 'react';

import type { Core, Wanted } from '../core';
import type { Dataset, Project } from '../shared/types';
import { Banners } from '../shared/banners';
import { Button, Empty, ProblemNotice, ProgressBar } from '../shared/components';
import { bytes, day } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import { BringIn, DropZone } from '../uploads/dropzone';
import { defaultProject, projectLabel } from '../uploads/target';
import { UploadList } from '../uploads/list';

const RECENT = 30;
const KEY = 'voxelhub:project';

function Quota({ project, onStorage }: { project: Project; onStorage: () => void }): JSX.Element {
  const taken = project.used_bytes + project.reserved_bytes;
  const share = project.quota_bytes ? taken / project.quota_bytes : 1;
  return (
    <div
      className="vx-Quota"
      title={
        project.reserved_bytes ? `${bytes(project.reserved_bytes)} set aside for uploads and runs` : undefined
      }
    >
      <ProgressBar
        value={share}
        label={`Space used in ${project.name}`}
        state={share > 0.95 ? 'failed' : share > 0.8 ? 'paused' : 'active'}
      />
      <div className="vx-Quota-line">
        <small>
          {bytes(taken)} of {bytes(project.quota_bytes)} used
        </small>
        <Button label="Storage" kind="quiet" testId="show-project-storage" onClick={onStorage} />
      </div>
    </div>
  );
}

function ProjectHeader({
  core,
  value,
  onChange,
  onShow
}: {
  core: Core;
  value: string;
  onChange: (name: string) => void;
  onShow: (wanted: Wanted) => void;
}): JSX.Element | null {
  const projects = useStore(core.me)?.projects ?? [];
  useStore(core.server);
  const project = projects.find(p => p.name === value);
  if (projects.length === 0) {
    return null;
  }
  return (
    <div className="vx-ProjectHeader">
      <label>
        <span>Project</span>
        <select
          className="vx-Input"
          value={value}
          data-testid="project-chooser"
          onChange={e => onChange(e.target.value)}
        >
          {projects.map(p => (
            <option key={p.id} value={p.name}>
              {projectLabel(p)}
            </option>
          ))}
        </select>
      </label>
      {project && (
        <Quota project={project} onStorage={() => onShow({ page: 'storage', project: project.name })} />
      )}
      {project && !core.mounted(project.name) && (
        <small className="vx-Muted">
          New since your server started: restart the server to see it in notebooks.
        </small>
      )}
    </div>
  );
}

function Row({
  core,
  dataset,
  onOpen
}: {
  core: Core;
  dataset: Dataset;
  onOpen: (dataset: Dataset) => void;
}): JSX.Element {
  const isNew = useStore(core.highlighted).has(dataset.id);
  const newest = [...dataset.versions].sort((a, b) => b.number - a.number)[0];
  return (
    <li>
      <button
        type="button"
        className={`vx-DatasetRow${isNew ? ' vx-mod-new' : ''}`}
        data-testid="dataset-row"
        onClick={() => onOpen(dataset)}
      >
        <Icon name="datasets" />
        <span>
          <strong title={dataset.title}>{dataset.title}</strong>
          <small>
            {newest
              ? `v${newest.number} · ${bytes(newest.size)} · ${day(newest.created_at)}`
              : day(dataset.created_at)}
          </small>
        </span>
      </button>
    </li>
  );
}

export function DatasetsPanel({
  core,
  onOpen,
  onWorkspace,
  onShow
}: {
  core: Core;
  onOpen: (dataset: Dataset) => void;
  onWorkspace: () => void;
  onShow: (wanted: Wanted) => void;
}): JSX.Element {
  const me = useStore(core.me);
  const held = useStore(core.held);
  const [wanted, setWanted] = useState(() => localStorage.getItem(KEY) ?? '');
  const project = me?.projects.find(p => p.name === wanted)?.name ?? defaultProject(core, '');
  const recent = useLoaded(
    async () => (project ? core.api.datasets({ project, limit: RECENT }) : null),
    [project]
  );
  useEffect(() => core.events.on('dataset', recent.reload), [core, recent.reload]);
  const choose = (name: string): void => {
    localStorage.setItem(KEY, name);
    setWanted(name);
  };
  return (
    <div className="vx-Sidebar" data-testid="datasets-panel">
      <header className="vx-Sidebar-title">
        <h2>Datasets</h2>
        <Button
          label="Open workspace"
          icon="workspace"
          kind="quiet"
          testId="open-workspace"
          onClick={onWorkspace}
        />
      </header>
      <Banners core={core} />
      <ProjectHeader core={core} value={project} onChange={choose} onShow={onShow} />
      <BringIn core={core} project={project}>
        {open => <DropZone clinical={core.clinical(project)} onFiles={open} />}
      </BringIn>
      <UploadList core={core} onShow={onShow} />
      {held > 0 && (
        <Button
          label="Quarantine"
          icon="shield"
          badge={held}
          testId="show-held"
          onClick={() => onShow({ page: 'quarantine', project: '' })}
        />
      )}
      <section className="vx-Section" aria-label="Datasets of the project">
        <h3>Latest datasets</h3>
        {recent.problem && !core.trouble.get() && (
          <ProblemNotice problem={recent.problem} onRetry={recent.reload} />
        )}
        {recent.value?.items.length === 0 && (
          <Empty icon="upload" title="Nothing here yet">
            Drop a study above: it appears here and in the workspace.
          </Empty>
        )}
        <ul className="vx-List">
          {recent.value?.items.map(dataset => (
            <Row key={dataset.id} core={core} dataset={dataset} onOpen={onOpen} />
          ))}
        </ul>
      </section>
    </div>
  );
}
