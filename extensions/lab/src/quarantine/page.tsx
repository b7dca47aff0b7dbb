/** What arrived and was not released: why, and the decision of a data steward. */
import { useEffect, useState } from 'react';

import type { Core, Wanted } from '../core';
import type { Quarantined } from '../shared/types';
import { Button, Empty, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import { projectLabel } from '../uploads/target';
import { DecideDialog, type Verb } from './decide';
import { loadItems, type View } from './items';
import { ItemRow } from './row';

const PAGE = 100;
const MOST = 500;

function Head({
  core,
  view,
  waiting,
  wanted,
  onView,
  onWanted
}: {
  core: Core;
  view: View;
  waiting: number;
  wanted: Wanted;
  onView: (view: View) => void;
  onWanted: (wanted: Wanted) => void;
}): JSX.Element {
  const projects = useStore(core.me)?.projects ?? [];
  return (
    <div className="vx-Filters" role="search" aria-label="Filter the quarantine">
      <div className="vx-Segments" role="group" aria-label="State">
        <Button
          label="Waiting"
          kind="quiet"
          badge={waiting}
          pressed={view === 'waiting'}
          testId="quarantine-waiting"
          onClick={() => onView('waiting')}
        />
        <Button
          label="Decided"
          kind="quiet"
          pressed={view === 'decided'}
          testId="quarantine-decided"
          onClick={() => onView('decided')}
        />
      </div>
      <select
        className="vx-Input"
        aria-label="Filter by project"
        data-testid="quarantine-project"
        value={wanted.project}
        onChange={e => onWanted({ page: 'quarantine', project: e.target.value })}
      >
        <option value="">Project: all</option>
        {projects.map(project => (
          <option key={project.id} value={project.name}>
            {projectLabel(project)}
          </option>
        ))}
      </select>
      {wanted.run && (
        <Button
          label={`Only import ${wanted.run.label}`}
          icon="close"
          title="Show those of other imports too"
          onClick={() => onWanted({ page: 'quarantine', project: wanted.project })}
        />
      )}
    </div>
  );
}

function Nothing({ view }: { view: View }): JSX.Element {
  return view === 'waiting' ? (
    <Empty icon="shield" title="Nothing waits in quarantine">
      <p>Files that cannot be made safe by rule wait here: scanned reports, burned-in names, broken files.</p>
      <p>Nobody works with them until a data steward or an owner of the project has decided.</p>
    </Empty>
  ) : (
    <Empty icon="shield" title="Nothing was decided yet">
      Released, rejected and expired files are listed here, with who decided and why.
    </Empty>
  );
}

export function Quarantine({
  core,
  wanted,
  onWanted,
  onRows
}: {
  core: Core;
  wanted: Wanted;
  onWanted: (wanted: Wanted) => void;
  onRows: (wanted: Wanted) => void;
}): JSX.Element {
  const [view, setView] = useState<View>('waiting');
  const [limit, setLimit] = useState(PAGE);
  const [deciding, setDeciding] = useState<{ item: Quarantined; verb: Verb } | null>(null);
  const { project, run } = wanted;
  const found = useLoaded(
    () => loadItems(core.api, view, { project, run: run?.id }, limit),
    [view, project, run?.id, limit]
  );
  useEffect(() => core.events.on('quarantine', found.reload), [core, found.reload]);
  const held = useStore(core.held);
  const showResult = async (id: string): Promise<void> => {
    const { project: name, output_dataset_id: dataset } = await core.api.run(id);
    if (dataset) {
      core.highlight(dataset);
    }
    onRows({ page: 'rows', project: name });
  };
  // Rows of the other view are not shown under this one's headings while its own are on their way.
  const shown = found.value?.view === view ? found.value : null;
  const items = shown?.items ?? [];
  return (
    <>
      <Head core={core} view={view} waiting={held} wanted={wanted} onView={setView} onWanted={onWanted} />
      {items.length > 0 && (
        <p className="vx-Muted">
          These files could not be made safe by rule. Nobody works with one until a data steward or an owner
          of its project has decided.
        </p>
      )}
      {found.problem && <ProblemNotice problem={found.problem} onRetry={found.reload} />}
      <div className="vx-Scroll" aria-busy={found.loading}>
        {shown && items.length === 0 && <Nothing view={view} />}
        {items.length > 0 && (
          <table className="vx-Table vx-Quarantine" data-testid="quarantine-table">
            <thead>
              <tr>
                <th scope="col">File</th>
                <th scope="col">Why it was not released</th>
                <th scope="col">Brought in for</th>
                <th scope="col">{view === 'waiting' ? 'State' : 'Decision'}</th>
                <th scope="col">
                  <span className="vx-Hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map(item => (
                <ItemRow
                  key={item.id}
                  core={core}
                  item={item}
                  view={view}
                  onDecide={verb => setDeciding({ item, verb })}
                  onResult={id => void showResult(id).catch(e => core.report(e))}
                />
              ))}
            </tbody>
          </table>
        )}
        {shown && shown.total > items.length && limit < MOST && (
          <Button
            label={`Show more of ${count(shown.total, 'file')}`}
            kind="quiet"
            onClick={() => setLimit(n => Math.min(MOST, n + PAGE))}
          />
        )}
      </div>
      {deciding && (
        <DecideDialog
          core={core}
          {...deciding}
          onClose={() => {
            setDeciding(null);
            found.reload();
          }}
        />
      )}
    </>
  );
}
