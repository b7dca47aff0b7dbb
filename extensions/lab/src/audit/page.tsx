/** Activity: what I did, in plain sentences; for auditors what everybody did, and how far that is signed. */
import { useState } from 'react';

import type { Core } from '../core';
import { Banners } from '../shared/banners';
import { Button, Empty, ProblemNotice } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded, useSettled } from '../shared/hooks';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import { ActivityFilters } from './filters';
import { ActivityRow } from './row';
import { StateLine } from './state';
import { ALL, byDay, isFiltered, queryOf, type Wanted } from './words';

const PAGE = 100;
const MOST = 1000; // of one answer

export function ActivityPage({ core }: { core: Core }): JSX.Element {
  const me = useStore(core.me);
  const auditor = !!me && (me.admin || me.roles.includes('data-protection-officer'));
  const [all, setAll] = useState(false);
  const [wanted, setWanted] = useState<Wanted>(ALL);
  const [limit, setLimit] = useState(PAGE);
  const everybody = auditor && all;
  const settled = useSettled(wanted, 300);
  const query = queryOf(settled);
  const found = useLoaded(async () => {
    const page = await (everybody
      ? core.api.auditEvents({ ...query, limit })
      : core.api.auditMine({ ...query, actor: undefined, resource: undefined, limit }));
    return { ...page, everybody };
  }, [everybody, JSON.stringify(query), limit, me?.name]);
  const state = useLoaded(async () => (auditor ? core.api.auditState() : null), [auditor, everybody]);
  const change = (more: Partial<Wanted>): void => {
    setWanted(before => ({ ...before, ...more }));
    setLimit(PAGE);
  };
  const view = (everyone: boolean): void => {
    setAll(everyone);
    setLimit(PAGE);
  };
  const reload = (): void => {
    found.reload();
    state.reload();
  };
  // Rows of the other view are not shown under this one while its own are on their way.
  const shown = found.value?.everybody === everybody ? found.value : null;
  return (
    <div className="vx-Page vx-Activity" data-testid="activity-page">
      <header className="vx-Page-head">
        <h2>Activity</h2>
        {auditor && (
          <div className="vx-Segments" role="group" aria-label="Whose activity">
            <Button
              label="Mine"
              kind="quiet"
              pressed={!everybody}
              testId="activity-mine"
              onClick={() => view(false)}
            />
            <Button
              label="All"
              kind="quiet"
              pressed={everybody}
              testId="activity-all"
              onClick={() => view(true)}
            />
          </div>
        )}
      </header>
      <Banners core={core} />
      <p className="vx-Muted">
        {everybody
          ? 'What everybody did, newest first. Names of data are shown only where you are a member of their project.'
          : 'What was recorded under your name, newest first: changes, looks at data, downloads, runs, refusals. Nobody can take a record out again.'}
      </p>
      {everybody && <StateLine state={state} />}
      <ActivityFilters everybody={everybody} wanted={wanted} onChange={change} />
      <div className="vx-Activity-bar">
        <span className="vx-Count" role="status" data-testid="activity-count">
          {shown ? count(shown.total, 'record') : ''}
        </span>
        <span className="vx-Spacer" />
        <Button label="Refresh" icon="repeat" kind="quiet" testId="activity-refresh" onClick={reload} />
        {everybody && (
          <a
            className="vx-Button"
            href={core.api.downloadUrl('/audit/csv', { ...query })}
            download=""
            data-testid="activity-csv"
            title="All that fits the filter, for a spreadsheet. The export is recorded."
          >
            <Icon name="download" />
            Save as CSV
          </a>
        )}
      </div>
      {found.problem && <ProblemNotice problem={found.problem} onRetry={reload} />}
      <div aria-busy={found.loading}>
        {shown && shown.items.length === 0 && (
          <Empty
            icon="shield"
            title={isFiltered(wanted) ? 'Nothing fits these filters' : 'Nothing is recorded yet'}
          >
            {isFiltered(wanted) ? 'Change or clear them.' : 'What you do in VoxelHub is listed here.'}
          </Empty>
        )}
        {shown &&
          byDay(shown.items).map(({ day, events }) => (
            <section key={day} className="vx-Activity-group" aria-label={day}>
              <h3>{day}</h3>
              <ol>
                {events.map(event => (
                  <ActivityRow
                    key={event.seq}
                    core={core}
                    event={event}
                    mine={!everybody}
                    auditor={auditor}
                  />
                ))}
              </ol>
            </section>
          ))}
        {shown && shown.total > shown.items.length && limit < MOST && (
          <Button
            label="Show more"
            kind="quiet"
            testId="activity-more"
            onClick={() => setLimit(n => n + PAGE)}
          />
        )}
        {shown && shown.total > shown.items.length && limit >= MOST && (
          <p className="vx-Muted">These are the newest {MOST}. Choose days to see older ones.</p>
        )}
      </div>
    </div>
  );
}
