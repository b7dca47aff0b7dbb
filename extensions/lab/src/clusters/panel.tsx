/** The Clusters sidebar: my clusters, also those made in code; owners and administrators see theirs too. */
import { useEffect, useRef, useState } from 'react';

import type { Core } from '../core';
import { Banners } from '../shared/banners';
import { Button, Empty, Notice, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { useStore } from '../shared/store';
import type { Cluster, SpendScope } from '../shared/types';
import { BudgetBanner } from '../spend/notices';
import { ClusterCard, type ClusterActions } from './card';
import { CreateDialog } from './create';
import { useClusters } from './use-clusters';
import { ended, IN_CODE } from './words';

const ENDED = 3; // shown at first

function useScopes(core: Core): { id: SpendScope; title: string }[] {
  const me = useStore(core.me);
  const owner = me?.projects.some(project => project.role === 'owner' && project.kind === 'shared');
  const scopes: { id: SpendScope; title: string }[] = [{ id: 'mine', title: 'Mine' }];
  if (owner) {
    scopes.push({ id: 'project', title: 'My projects’' });
  }
  if (me?.admin) {
    scopes.push({ id: 'all', title: 'All' });
  }
  return scopes;
}

function NoClusters({ mine }: { mine: boolean }): JSX.Element {
  if (!mine) {
    return <Empty icon="clusters" title="Nobody has a cluster open" />;
  }
  return (
    <Empty icon="clusters" title="No cluster is open">
      <p>
        A cluster is a set of workers that compute parts of one task at the same time: tiles of a slide,
        series of a cohort. It grows while tasks wait, shrinks when they are done, and ends with your server.
      </p>
      <p>Create one above, or in a notebook:</p>
      <div className="vx-Cluster-code">
        <pre>
          <code>{`import voxelhub\n${IN_CODE}`}</code>
        </pre>
        <Button
          label="Copy the code"
          icon="copy"
          iconOnly
          kind="quiet"
          onClick={() => void navigator.clipboard.writeText(`import voxelhub\n${IN_CODE}`)}
        />
      </div>
    </Empty>
  );
}

function Ended({
  clusters,
  card
}: {
  clusters: Cluster[];
  card: (one: Cluster) => JSX.Element;
}): JSX.Element {
  const [all, setAll] = useState(false);
  return (
    <section className="vx-Section" aria-label="Ended">
      <h3>Ended</h3>
      <ul className="vx-List">{(all ? clusters : clusters.slice(0, ENDED)).map(card)}</ul>
      {!all && clusters.length > ENDED && (
        <Button label={`Show all ${clusters.length}`} kind="quiet" onClick={() => setAll(true)} />
      )}
    </section>
  );
}

export function ClustersPanel({ core, actions }: { core: Core; actions: ClusterActions }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const scopes = useScopes(core);
  const [wanted, setScope] = useState<SpendScope>('mine');
  const scope = scopes.some(({ id }) => id === wanted) ? wanted : 'mine';
  const [creating, setCreating] = useState(false);
  const me = useStore(core.me);
  const choices = useLoaded(async () => (me ? await core.api.clusterChoices() : null), [me?.name]);
  const found = useClusters(core, scope, box);
  useEffect(found.reload, [me?.name]);
  const items = found.value?.items ?? [];
  const [living, over] = [items.filter(one => !ended(one)), items.filter(ended)];
  const unavailable = choices.value?.unavailable ?? '';
  const card = (cluster: Cluster): JSX.Element => (
    <ClusterCard key={cluster.id} core={core} cluster={cluster} actions={actions} onChanged={found.reload} />
  );
  return (
    <div className="vx-Sidebar" data-testid="clusters-panel" ref={box}>
      <header className="vx-Sidebar-title">
        <h2>Clusters</h2>
        <small className="vx-Muted" role="status">
          {living.length > 0 ? `${count(living.length, 'cluster')} open` : ''}
        </small>
      </header>
      <Banners core={core} />
      <BudgetBanner core={core} />
      {scopes.length > 1 && (
        <div className="vx-Segments" role="group" aria-label="Whose clusters">
          {scopes.map(({ id, title }) => (
            <Button
              key={id}
              label={title}
              kind="quiet"
              pressed={scope === id}
              testId={`clusters-${id}`}
              onClick={() => setScope(id)}
            />
          ))}
        </div>
      )}
      {unavailable && <Notice kind="warning">{unavailable}</Notice>}
      {choices.problem && choices.problem.message !== found.problem?.message && !core.trouble.get() && (
        <ProblemNotice problem={choices.problem} onRetry={choices.reload} />
      )}
      {scope === 'mine' && (
        <Button
          label="New cluster"
          icon="clusters"
          kind="primary"
          testId="new-cluster"
          disabled={!choices.value || !!unavailable}
          onClick={() => setCreating(true)}
        />
      )}
      {found.problem && !core.trouble.get() && (
        <ProblemNotice problem={found.problem} onRetry={found.reload} />
      )}
      {found.value && living.length === 0 && <NoClusters mine={scope === 'mine'} />}
      {living.length > 0 && <ul className="vx-List">{living.map(card)}</ul>}
      {over.length > 0 && <Ended clusters={over} card={card} />}
      {creating && choices.value && (
        <CreateDialog
          core={core}
          choices={choices.value}
          onClose={() => setCreating(false)}
          onCreated={found.reload}
        />
      )}
    </div>
  );
}
