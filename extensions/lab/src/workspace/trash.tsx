/** What is in the trash, and the way back. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import { Button, Empty, ProblemNotice } from '../shared/components';
import { count, moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { restore } from './actions';

export function Trash({ core }: { core: Core }): JSX.Element {
  const [limit, setLimit] = useState(100);
  const trashed = useLoaded(() => core.api.datasets({ trashed: true, limit }), [limit]);
  useEffect(() => core.events.on('dataset', trashed.reload), [core, trashed.reload]);
  if (trashed.problem) {
    return <ProblemNotice problem={trashed.problem} onRetry={trashed.reload} />;
  }
  if (trashed.value?.total === 0) {
    return (
      <Empty icon="trash" title="The trash is empty">
        Datasets that you delete stay here until they are purged.
      </Empty>
    );
  }
  return (
    <div className="vx-Scroll">
      <table className="vx-Table" data-testid="trash-table">
        <thead>
          <tr>
            <th scope="col">Dataset</th>
            <th scope="col">Project</th>
            <th scope="col">Content</th>
            <th scope="col">Deleted</th>
            <th scope="col">Purged</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {trashed.value?.items.map(dataset => (
            <tr key={dataset.id}>
              <th scope="row">{dataset.title}</th>
              <td>{dataset.project}</td>
              <td>{count(dataset.versions.length, 'version')}</td>
              <td>{dataset.trashed_at && moment(dataset.trashed_at)}</td>
              <td>{dataset.purge_at && moment(dataset.purge_at)}</td>
              <td>
                <Button
                  label={`Restore ${dataset.title}`}
                  icon="restore"
                  iconOnly
                  kind="quiet"
                  onClick={() => void restore(core, [dataset]).then(trashed.reload)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {trashed.value && trashed.value.total > limit && (
        <Button label="Show more" kind="quiet" onClick={() => setLimit(n => n + 100)} />
      )}
    </div>
  );
}
