/** What a project holds, for whom, and how much room is left. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Storage } from '../shared/types';
import { Notice, ProblemNotice, ProgressBar } from '../shared/components';
import { SelectField } from '../shared/fields';
import { bytes } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import { defaultProject, projectLabel } from '../uploads/target';

interface Part {
  id: 'used' | 'trash' | 'reserved' | 'free';
  label: string;
  hint: string;
  size: number;
}

function partsOf(storage: Storage): Part[] {
  const { quota_bytes: quota, used_bytes: used, reserved_bytes: reserved, trash_bytes: trash } = storage;
  return [
    { id: 'used', label: 'Datasets', hint: 'all their versions; equal files count once', size: used - trash },
    { id: 'trash', label: 'Trash', hint: 'free again once it is purged', size: trash },
    { id: 'reserved', label: 'Set aside', hint: 'for uploads and runs under way', size: reserved },
    { id: 'free', label: 'Free', hint: '', size: Math.max(0, quota - used - reserved) }
  ];
}

function QuotaBar({ storage }: { storage: Storage }): JSX.Element {
  const parts = partsOf(storage);
  const whole = Math.max(storage.quota_bytes, storage.used_bytes + storage.reserved_bytes, 1);
  const said = parts.map(part => `${part.label} ${bytes(part.size)}`).join(', ');
  return (
    <>
      <div className="vx-Stack" role="img" aria-label={`${said}, of ${bytes(storage.quota_bytes)}`}>
        {parts.map(part => (
          <div
            key={part.id}
            className={`vx-mod-${part.id}`}
            style={{ width: `${(part.size / whole) * 100}%`, minWidth: part.size ? 3 : 0 }}
            title={`${part.label}: ${bytes(part.size)}`}
          />
        ))}
      </div>
      <dl className="vx-Legend">
        {parts.map(part => (
          <div key={part.id}>
            <dt>
              <span className={`vx-Swatch vx-mod-${part.id}`} aria-hidden="true" />
              {part.label}
            </dt>
            <dd>{bytes(part.size)}</dd>
            <dd className="vx-Muted">{part.hint}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Users({ storage }: { storage: Storage }): JSX.Element {
  const most = Math.max(1, ...storage.users.map(user => user.bytes));
  return (
    <table className="vx-Table" data-testid="storage-users">
      <thead>
        <tr>
          <th scope="col">Brought in by</th>
          <th scope="col" className="vx-mod-numeric">
            Datasets
          </th>
          <th scope="col" className="vx-mod-numeric">
            Space
          </th>
          <th scope="col">
            <span className="vx-Hidden">Compared</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {storage.users.map(user => (
          <tr key={user.user}>
            <th scope="row">{user.user}</th>
            <td className="vx-mod-numeric">{user.datasets}</td>
            <td className="vx-mod-numeric">{bytes(user.bytes)}</td>
            <td className="vx-Share">
              <ProgressBar value={user.bytes / most} label={`Share of ${user.user}`} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function StoragePage({ core, project }: { core: Core; project: string }): JSX.Element {
  const projects = useStore(core.me)?.projects ?? [];
  const [chosen, setChosen] = useState('');
  useEffect(() => setChosen(''), [project]);
  const name = chosen || project || defaultProject(core, '');
  const storage = useLoaded(async () => (name ? core.api.storage(name) : null), [name]);
  useEffect(() => {
    const stops = (['dataset', 'upload', 'quarantine'] as const).map(topic =>
      core.events.on(topic, storage.reload)
    );
    return () => stops.forEach(stop => stop());
  }, [core, storage.reload]);
  const found = storage.value;
  const taken = found ? found.used_bytes + found.reserved_bytes : 0;
  return (
    <div className="vx-Scroll" data-testid="storage-page">
      <div className="vx-Storage">
        <SelectField
          label="Project"
          testId="storage-project"
          value={name}
          options={projects.map(one => ({ id: one.name, title: projectLabel(one) }))}
          onChange={setChosen}
        />
        {storage.problem && <ProblemNotice problem={storage.problem} onRetry={storage.reload} />}
        {found && (
          <>
            <p className="vx-Storage-total">
              <strong>{bytes(taken)}</strong> of {bytes(found.quota_bytes)} taken
            </p>
            <QuotaBar storage={found} />
            {found.quarantine_bytes > 0 && (
              <Notice kind="info" icon="shield">
                {bytes(found.quarantine_bytes)} wait in quarantine. They do not count against the quota until
                they are released.
              </Notice>
            )}
            {found.users.length > 0 ? (
              <>
                <Users storage={found} />
                <small>A file that several people brought in counts for the first of them.</small>
              </>
            ) : (
              <p className="vx-Muted">Nobody has brought anything in yet.</p>
            )}
          </>
        )}
      </div>
    </div>
  );
}
