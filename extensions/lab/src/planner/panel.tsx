/** The Planner sidebar: what it is for, a new plan, and the plans that were made. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Run } from '../shared/types';
import { Banners } from '../shared/banners';
import { Button, Empty, ProblemNotice } from '../shared/components';
import { useLoaded } from '../shared/hooks';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import { NewPlan } from './form';
import { Plans } from './plans';
import { useSlides } from './slides';

export interface PlannerActions {
  openPlan: (run: Run) => void;
  ready: (run: Run) => void;
  openDatasets: () => void;
  /** Opens the example notebook; absent where there is none. */
  example: () => Promise<(() => void) | null>;
}

function Welcome({ actions }: { actions: PlannerActions }): JSX.Element {
  const example = useLoaded(actions.example, []);
  return (
    <div className="vx-Planner-welcome" data-testid="planner-welcome">
      <Icon name="planner" />
      <h3>Work on slides with machines that nobody trusts</h3>
      <p>
        A slide is cut into small patches, and the patches are shared out among the nodes (machines) of
        several providers, so that none of them gets enough to put the tissue together again.
      </p>
      <p>The planner finds which nodes to use. For each plan it says</p>
      <ul className="vx-Bullets">
        <li>what it costs, and how sure that is,</li>
        <li>how long it takes,</li>
        <li>what each provider would see.</li>
      </ul>
      <p>It needs a whole-slide image in one of your projects, such as an SVS file.</p>
      <div className="vx-Buttons">
        <Button label="Bring a slide in" icon="upload" kind="primary" onClick={actions.openDatasets} />
        {example.value && (
          <Button
            label="Try the example notebook"
            icon="notebook"
            testId="planner-example"
            onClick={example.value}
          />
        )}
      </div>
    </div>
  );
}

export function PlannerPanel({ core, actions }: { core: Core; actions: PlannerActions }): JSX.Element {
  const tool = useStore(core.planner.tool);
  const asked = useStore(core.planner.asked);
  const chosen = useStore(core.planner.slides);
  useStore(core.me);
  const [started, setStarted] = useState<string | null>(null);
  const loaded = useLoaded(() => core.planner.load(), [core]);
  useEffect(() => core.events.on('tool', loaded.reload), [core, loaded.reload]);
  const slides = useSlides(core, tool?.inputs[0] ?? null);
  const none = slides.value?.length === 0 && slides.search.words === '' && chosen.length === 0;
  return (
    <div className="vx-Sidebar" data-testid="planner-panel">
      <header className="vx-Sidebar-title">
        <h2>Planner</h2>
      </header>
      <Banners core={core} />
      {loaded.problem && !core.trouble.get() && (
        <ProblemNotice problem={loaded.problem} onRetry={loaded.reload} />
      )}
      {asked && !tool && (
        <Empty icon="planner" title="The planner is not installed here">
          An administrator installs its tool, plan-slides.
        </Empty>
      )}
      {tool && none && <Welcome actions={actions} />}
      {tool && !none && (
        <>
          <p className="vx-Muted">
            Which nodes (machines) to rent for a slide, what they cost, how long they take, and what each
            provider would see of it.
          </p>
          <NewPlan
            key={tool.digest}
            core={core}
            tool={tool}
            slides={slides}
            onStarted={run => setStarted(run.id)}
          />
        </>
      )}
      {tool && (
        <Plans core={core} tool={tool} started={started} onOpen={actions.openPlan} onReady={actions.ready} />
      )}
    </div>
  );
}
