/** Spend: what a month cost, by day and by what it was for; mine, a project's, or all. */
import { useEffect, useRef, useState, type RefObject } from 'react';

import { useTopic } from '../clusters/use-clusters';
import type { Core } from '../core';
import { Banners } from '../shared/banners';
import { Button, Empty, Notice, ProblemNotice } from '../shared/components';
import { hours, money } from '../shared/format';
import { useLoaded, type Loaded } from '../shared/hooks';
import { Icon } from '../shared/icons';
import type { SpendQuery } from '../shared/api';
import { useStore } from '../shared/store';
import type { SpendScope, SpendSummary } from '../shared/types';
import { Breakdowns } from './breakdown';
import { Budgets } from './budgets';
import { DayChart } from './chart';
import { Entries } from './entries';
import { daysOf, MEASURES, monthTitle, shifted, thisMonth, type Measure } from './words';

const CALM = 2000; // ms between two readings
const FIGURES = 15_000; // ms

function MonthChooser({
  month,
  onChange
}: {
  month: string;
  onChange: (month: string) => void;
}): JSX.Element {
  const now = thisMonth();
  return (
    <div className="vx-Month" role="group" aria-label="Month">
      <Button
        label={`Earlier: ${monthTitle(shifted(month, -1))}`}
        icon="back"
        iconOnly
        kind="quiet"
        testId="spend-earlier"
        onClick={() => onChange(shifted(month, -1))}
      />
      <input
        type="month"
        className="vx-Input"
        aria-label="Month"
        data-testid="spend-month"
        value={month}
        max={now}
        onChange={event => /^\d{4}-\d{2}$/.test(event.target.value) && onChange(event.target.value)}
      />
      <Button
        label={`Later: ${monthTitle(shifted(month, 1))}`}
        icon="chevron"
        iconOnly
        kind="quiet"
        disabled={month >= now}
        testId="spend-later"
        onClick={() => onChange(shifted(month, 1))}
      />
    </div>
  );
}

function Figures({ spend }: { spend: SpendSummary }): JSX.Element {
  const facts: [string, string][] = [
    ...(spend.cost === null ? [] : [[money(spend.cost, spend.currency), 'cost'] as [string, string]]),
    [hours(spend.cpu_hours), 'CPU hours'],
    ...(spend.gpu_hours > 0 ? [[hours(spend.gpu_hours), 'GPU hours'] as [string, string]] : []),
    [String(spend.running), spend.running === 1 ? 'thing runs now' : 'things run now']
  ];
  const others = Object.entries(spend.other_currencies);
  return (
    <>
      <dl className="vx-Totals" data-testid="spend-totals">
        {facts.map(([value, name]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {others.length > 0 && (
        <Notice kind="info">
          The price list changed its currency. Not in these sums:{' '}
          {others.map(([currency, cost]) => money(cost, currency)).join(', ')}.
        </Notice>
      )}
    </>
  );
}

function NoPrices({ admin }: { admin: boolean }): JSX.Element {
  return (
    <Notice kind="info">
      <strong>No prices are set here, so hours are counted.</strong>{' '}
      {admin
        ? 'Prices stand in the file that the setting VOXELHUB_PRICES_FILE names; budgets in that of VOXELHUB_BUDGETS_FILE.'
        : 'Whoever runs this installation can set them in its price list.'}
    </Notice>
  );
}

function Charts({ spend, month }: { spend: SpendSummary; month: string }): JSX.Element {
  const offered: Measure[] = [
    ...(spend.cost !== null ? (['cost'] as const) : []),
    'cpu_hours',
    ...(spend.gpu_hours > 0 ? (['gpu_hours'] as const) : [])
  ];
  const [wanted, setMeasure] = useState<Measure>('cost');
  const measure = offered.includes(wanted) ? wanted : offered[0]!;
  return (
    <>
      {offered.length > 1 && (
        <div className="vx-Segments" role="group" aria-label="What the charts count">
          {offered.map(one => (
            <Button
              key={one}
              label={MEASURES[one]}
              kind="quiet"
              pressed={one === measure}
              testId={`spend-${one}`}
              onClick={() => setMeasure(one)}
            />
          ))}
        </div>
      )}
      <DayChart month={daysOf(month)} days={spend.days} measure={measure} currency={spend.currency} />
      <Breakdowns spend={spend} measure={measure} />
    </>
  );
}

function ScopeChooser({
  spend,
  scope,
  project,
  onChange
}: {
  spend: SpendSummary;
  scope: SpendScope;
  project: string;
  onChange: (scope: SpendScope, project: string) => void;
}): JSX.Element | null {
  if (spend.projects.length === 0 && !spend.everything) {
    return null;
  }
  return (
    <div className="vx-Spend-scope">
      <div className="vx-Segments" role="group" aria-label="Whose spend">
        <Button
          label="Mine"
          kind="quiet"
          pressed={scope === 'mine'}
          testId="spend-mine"
          onClick={() => onChange('mine', '')}
        />
        {spend.projects.length > 0 && (
          <Button
            label="A project’s"
            kind="quiet"
            pressed={scope === 'project'}
            testId="spend-project"
            onClick={() => onChange('project', project || spend.projects[0]!)}
          />
        )}
        {spend.everything && (
          <Button
            label="All"
            kind="quiet"
            pressed={scope === 'all'}
            testId="spend-all"
            onClick={() => onChange('all', '')}
          />
        )}
      </div>
      {scope === 'project' && (
        <select
          className="vx-Input"
          aria-label="Project"
          data-testid="spend-project-name"
          value={project}
          onChange={event => onChange('project', event.target.value)}
        >
          {spend.projects.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

/** What runs grows without a hint: its figures are read again while somebody looks. */
function useGrowing(found: Loaded<SpendSummary>, box: RefObject<HTMLElement>): void {
  const running = (found.value?.running ?? 0) > 0;
  const { reload } = found;
  useEffect(() => {
    const look = (): void => {
      if (running && document.visibilityState === 'visible' && box.current?.offsetParent) {
        reload();
      }
    };
    const timer = window.setInterval(look, FIGURES);
    return () => window.clearInterval(timer);
  }, [running, reload, box]);
}

export function SpendPage({ core }: { core: Core }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const me = useStore(core.me);
  const [month, setMonth] = useState(thisMonth);
  const [{ scope, project }, setWhose] = useState<{ scope: SpendScope; project: string }>({
    scope: 'mine',
    project: ''
  });
  const days = daysOf(month);
  const query: SpendQuery = {
    scope,
    project: scope === 'project' ? project : undefined,
    since: days[0]!,
    until: days[days.length - 1]!
  };
  const found = useLoaded(() => core.api.spend(query), [JSON.stringify(query), me?.name]);
  useTopic(core, 'spend', found.reload, '', CALM);
  useGrowing(found, box);
  const spend = found.value;
  const empty = spend !== null && spend.days.length === 0 && spend.cpu_hours === 0;
  return (
    <div ref={box} className="vx-Page vx-Spend" data-testid="spend-page" aria-busy={found.loading}>
      <header className="vx-Page-head">
        <h2>Spend</h2>
        <MonthChooser month={month} onChange={setMonth} />
        <span className="vx-Spacer" />
        <a
          className="vx-Button"
          href={core.api.downloadUrl('/spend/entries.csv', { ...query })}
          download=""
          data-testid="spend-csv"
          title="The entries of this month, for a spreadsheet"
        >
          <Icon name="download" />
          Save as CSV
        </a>
      </header>
      <Banners core={core} />
      {spend && (
        <ScopeChooser
          spend={spend}
          scope={scope}
          project={project}
          onChange={(next, name) => setWhose({ scope: next, project: name })}
        />
      )}
      {found.problem && <ProblemNotice problem={found.problem} onRetry={found.reload} />}
      {spend && (
        <>
          {month === thisMonth() && <Budgets budgets={spend.budgets} me={me?.name ?? ''} />}
          {spend.currency === null && <NoPrices admin={me?.admin ?? false} />}
          {empty ? (
            <Empty icon="spend" title={`Nothing ran in ${monthTitle(month)}`}>
              Notebook servers, clusters and tool runs are counted here from their start, second by second.
            </Empty>
          ) : (
            <>
              <Figures spend={spend} />
              <Charts spend={spend} month={month} />
              <Entries core={core} query={query} />
            </>
          )}
        </>
      )}
    </div>
  );
}
