/** The side sheet: what is known of one row. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Entry } from '../shared/types';
import { Button, Copyable, Notice, ProblemNotice } from '../shared/components';
import { bytes, count, moment, termTitle } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import { Download } from './download';
import { FLAGS, FlagNotices } from './flags';
import { CommandIds } from '../tokens';
import { Versions } from './versions';

const FILES = 50;

function plain(value: unknown): string {
  if (Array.isArray(value)) {
    return value
      .map(item => (typeof item === 'number' ? String(Number(item.toFixed(4))) : plain(item)))
      .join(' × ');
  }
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

function label(key: string): string {
  const words = key.replace(/_/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function Facts({ facts }: { facts: [string, React.ReactNode][] }): JSX.Element {
  return (
    <dl className="vx-Facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Files({ core, entry, open }: { core: Core; entry: Entry; open: boolean }): JSX.Element {
  const [limit, setLimit] = useState(FILES);
  const files = useLoaded(() => core.api.entryFiles(entry.id, 0, limit), [entry.id, limit]);
  return (
    <section>
      <h3>{entry.kind === 'series' ? 'Instances' : 'Files'}</h3>
      {files.problem && <ProblemNotice problem={files.problem} onRetry={files.reload} />}
      <ul className="vx-Files">
        {files.value?.items.map(file => (
          <li key={file.id}>
            <span title={`${file.path}\nSHA-256 ${file.sha256}`}>{file.path}</span>
            <small>{bytes(file.size)}</small>
            {open && (
              <Download
                href={core.api.downloadUrl(`/files/${file.id}/content`)}
                label={`Download ${file.path}`}
              />
            )}
          </li>
        ))}
      </ul>
      {files.value && files.value.total > limit && limit < 500 && (
        <Button
          label={`Show more of ${count(files.value.total, 'file')}`}
          kind="quiet"
          onClick={() => setLimit(n => Math.min(500, n * 4))}
        />
      )}
    </section>
  );
}

export function Details({
  core,
  entry,
  onClose
}: {
  core: Core;
  entry: Entry;
  onClose: () => void;
}): JSX.Element {
  const me = useStore(core.me);
  const vocabulary = useStore(core.vocabulary);
  useStore(core.server);
  const dataset = useLoaded(() => core.api.dataset(entry.dataset_id), [entry.dataset_id, entry.version]);
  const project = me?.projects.find(p => p.name === entry.project);
  const load = `voxelhub.datasets("${entry.project}/${entry.dataset}")`;
  const facts: [string, React.ReactNode][] = [
    ['Data type', termTitle(vocabulary, 'data_types', entry.data_type)],
    ['Format', termTitle(vocabulary, 'file_formats', entry.file_format)],
    ['Project', project?.title || entry.project],
    ['Dataset', `${entry.dataset_title}, version ${entry.version}`],
    ['Execution', entry.execution || 'brought in by upload'],
    ['Size', `${bytes(entry.size)} in ${count(entry.n_files, 'file')}`],
    ['Date', moment(entry.created_at)],
    ...Object.entries(entry.meta)
      .filter(([key]) => key !== FLAGS && key !== 'sources') // its history shows where it comes from
      .map(([key, value]): [string, React.ReactNode] => [label(key), plain(value)])
  ];
  return (
    <aside className="vx-Sheet" aria-label={`Details of ${entry.name}`} data-testid="details">
      <header>
        <h2 title={entry.name}>{entry.name}</h2>
        <Button label="Close details" icon="close" iconOnly kind="quiet" onClick={onClose} />
      </header>
      <FlagNotices entry={entry} />
      <div className="vx-Buttons">
        <Button
          label="History"
          icon="history"
          title="Where it comes from, and what was made from it"
          testId="entry-history"
          onClick={() => core.execute(CommandIds.openLineage, { entry: entry.id })}
        />
      </div>
      <section>
        <h3>In a notebook</h3>
        <Copyable text={entry.path} label="path" />
        <Copyable text={load} label="code" />
        {!core.mounted(entry.project) && (
          <Notice kind="info">
            Restart your server to see this project in notebooks: it was not there when the server started.
          </Notice>
        )}
      </section>
      <section>
        <h3>About</h3>
        <Facts facts={facts} />
      </section>
      {dataset.problem && <ProblemNotice problem={dataset.problem} onRetry={dataset.reload} />}
      {dataset.value && <Versions core={core} dataset={dataset.value} open={project?.open ?? false} />}
      <Files core={core} entry={entry} open={project?.open ?? false} />
      {project && !project.open && (
        <p className="vx-Muted">Files of a clinical project stay inside VoxelHub and cannot be downloaded.</p>
      )}
    </aside>
  );
}
