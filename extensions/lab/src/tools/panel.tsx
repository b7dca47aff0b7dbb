/** The Tools sidebar: what fits the selection first, then the rest with the reason, then the runs. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Run, Tool } from '../shared/types';
import { Banners } from '../shared/banners';
import { Empty, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import { BudgetBanner } from '../spend/notices';
import type { BatchActions } from './batch-row';
import { fits, ToolCard } from './card';
import { Runs } from './runs';

const SHORT = 100; // entries that an address holds
const MOST = 5000; // entries that the service takes at a time

function matches(tool: Tool, words: readonly string[]): boolean {
  const text = [tool.name, tool.title, tool.description, ...tool.keywords].join(' ').toLowerCase();
  return words.every(word => text.includes(word));
}

export function ToolsPanel({
  core,
  onResult,
  actions
}: {
  core: Core;
  onResult: (run: Run) => void;
  actions: BatchActions;
}): JSX.Element {
  const selection = useStore(core.selection);
  useStore(core.me);
  const [search, setSearch] = useState('');
  const [started, setStarted] = useState<string | null>(null);
  const chosen = selection.slice(0, MOST);
  const ids = chosen.map(entry => entry.id);
  const tools = useLoaded(
    () => (ids.length > SHORT ? core.api.matchTools(ids) : core.api.tools(ids)),
    [ids.join()]
  );
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (tools.value?.items ?? []).filter(tool => matches(tool, words));
  const fitting = found.filter(tool => fits(tool) && selection.length > 0);
  const others = found.filter(tool => !fitting.includes(tool));
  const group = (title: string, items: Tool[]): JSX.Element | null =>
    items.length === 0 ? null : (
      <section className="vx-Section" aria-label={title}>
        <h3>{title}</h3>
        <ul className="vx-List">
          {items.map(tool => (
            <ToolCard
              key={tool.name}
              core={core}
              tool={{ ...tool, eligible: tool.eligible && selection.length > 0 }}
              selection={chosen}
              onStarted={run => setStarted(run.id)}
              onBatch={batch => setStarted(batch.id)}
            />
          ))}
        </ul>
      </section>
    );
  return (
    <div className="vx-Sidebar" data-testid="tools-panel">
      <header className="vx-Sidebar-title">
        <h2>Tools</h2>
        <small className="vx-Muted" role="status">
          {selection.length === 0
            ? 'Nothing selected'
            : selection.length === 1
              ? selection[0]!.name
              : `${count(selection.length, 'row')} selected`}
        </small>
      </header>
      <Banners core={core} />
      <BudgetBanner core={core} />
      <label className="vx-Search">
        <Icon name="search" />
        <input
          type="search"
          className="vx-Input"
          aria-label="Search tools"
          placeholder="Search tools"
          value={search}
          data-testid="tool-search"
          onChange={e => setSearch(e.target.value)}
        />
      </label>
      {tools.problem && !core.trouble.get() && (
        <ProblemNotice problem={tools.problem} onRetry={tools.reload} />
      )}
      {group('Fits your selection', fitting)}
      {group(
        selection.length === 0 ? 'All tools: select rows in the workspace to run one' : 'Other tools',
        others
      )}
      {tools.value && found.length === 0 && (
        <Empty icon="search" title={words.length ? 'No tool matches' : 'No tools are installed'} />
      )}
      <Runs core={core} started={started} onResult={onResult} actions={actions} />
    </div>
  );
}
