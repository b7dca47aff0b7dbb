/** The versions of a dataset, and what each changed against the one before. */
import { useState } from 'react';

import type { Core } from '../core';
import type { ChangedFile, Dataset } from '../shared/types';
import { Button, Copyable, ProblemNotice } from '../shared/components';
import { bytes, count, moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { Download } from './download';

const SHOWN = 50;
const MOST = 5000;

const MARK: Record<ChangedFile['change'], { sign: string; word: string }> = {
  added: { sign: '+', word: 'added' },
  removed: { sign: '−', word: 'removed' },
  changed: { sign: '~', word: 'changed' }
};

function sizes({ size_before: before, size_after: after }: ChangedFile): string {
  if (before === null || after === null) {
    return bytes(after ?? before ?? 0);
  }
  return before === after ? bytes(after) : `${bytes(before)} → ${bytes(after)}`;
}

function Changes({ core, dataset, version }: { core: Core; dataset: string; version: number }): JSX.Element {
  const [limit, setLimit] = useState(SHOWN);
  const diff = useLoaded(() => core.api.versionDiff(dataset, version, limit), [dataset, version, limit]);
  if (diff.problem) {
    return <ProblemNotice problem={diff.problem} onRetry={diff.reload} />;
  }
  const found = diff.value;
  if (!found) {
    return <small>Comparing …</small>;
  }
  return (
    <div className="vx-Changes" data-testid={`changes-${version}`}>
      <p className="vx-Changes-counts">
        {(['added', 'removed', 'changed'] as const).map(change => (
          <span key={change} className={found[change] > 0 ? `vx-mod-${change}` : ''}>
            {count(found[change], change, change)}
          </span>
        ))}
        <span>{count(found.unchanged, 'the same', 'the same')}</span>
      </p>
      <ul className="vx-Files">
        {found.items.map(file => (
          <li key={file.path}>
            <b className={`vx-Change vx-mod-${file.change}`} aria-label={MARK[file.change].word}>
              {MARK[file.change].sign}
            </b>
            <span title={file.path}>{file.path}</span>
            <small>{sizes(file)}</small>
          </li>
        ))}
      </ul>
      {found.total > found.items.length && limit < MOST && (
        <Button
          label={`Show more of ${count(found.total, 'change')}`}
          kind="quiet"
          onClick={() => setLimit(n => Math.min(MOST, n * 5))}
        />
      )}
    </div>
  );
}

function VersionRow({
  core,
  dataset,
  version,
  first,
  open
}: {
  core: Core;
  dataset: Dataset;
  version: Dataset['versions'][number];
  first: boolean;
  open: boolean;
}): JSX.Element {
  const [comparing, setComparing] = useState(false);
  const { number } = version;
  return (
    <li data-testid={`version-${number}`}>
      <div className="vx-Version">
        <strong>v{number}</strong>
        <span>
          {moment(version.created_at)} · {version.created_by}
          <br />
          {count(version.n_files, 'file')}, {bytes(version.size)}
        </span>
        {!first && (
          <Button
            label="What changed"
            icon="chevron"
            kind="quiet"
            title={`What version ${number} changed`}
            testId={`compare-${number}`}
            expanded={comparing}
            onClick={() => setComparing(on => !on)}
          />
        )}
        {open && (
          <Download
            href={core.api.downloadUrl(`/datasets/${dataset.id}/versions/${number}/archive`)}
            label={`Download version ${number} as ZIP`}
          />
        )}
      </div>
      {comparing && <Changes core={core} dataset={dataset.id} version={number} />}
      <Copyable text={version.path} label={`path of version ${number}`} />
    </li>
  );
}

/** Newest first. */
export function Versions({
  core,
  dataset,
  open
}: {
  core: Core;
  dataset: Dataset;
  /** The project allows downloads. */
  open: boolean;
}): JSX.Element {
  const versions = [...dataset.versions].sort((a, b) => b.number - a.number);
  return (
    <section data-testid="versions">
      <h3>Versions of the dataset</h3>
      <ol className="vx-Versions" reversed>
        {versions.map((version, at) => (
          <VersionRow
            key={version.number}
            core={core}
            dataset={dataset}
            version={version}
            first={at === versions.length - 1}
            open={open}
          />
        ))}
      </ol>
      {versions.length > 1 && <small>No version changes again; older ones stay where they are.</small>}
    </section>
  );
}
