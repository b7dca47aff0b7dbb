/** The main-area Workspace: bring data in, find it, act on it. */
import { useEffect, useMemo, useState } from 'react';

import type { Core, Wanted } from '../core';
import type { EntryQuery } from '../shared/api';
import type { Entry } from '../shared/types';
import { Quarantine } from '../quarantine/page';
import { Banners } from '../shared/banners';
import { Button, Empty, Menu, ProblemNotice, type MenuItem } from '../shared/components';
import { count } from '../shared/format';
import { useSettled } from '../shared/hooks';
import { PagedRows } from '../shared/pages';
import { useStore } from '../shared/store';
import { BringIn, useDrop } from '../uploads/dropzone';
import type { Picked } from '../uploads/collect';
import { UploadDialog } from '../uploads/dialogs';
import { viewObstacle } from './actions';
import { Details } from './details';
import { RenameDialog, TrashDialog, TypeDialog } from './dialogs';
import { Filters } from './filters';
import { Grid } from './grid';
import { useSelection } from './selection';
import { INITIAL, isFiltered, restoreState, saveState, toggled, toQuery, type TableState } from './state';
import { StoragePage } from './storage';
import { Trash } from './trash';

export interface WorkspaceActions {
  view: (entries: readonly Entry[]) => void;
  useInTool: () => void;
  plan: (slides: readonly Entry[]) => void;
}

const PAGES = [
  { page: 'quarantine', label: 'Quarantine', icon: 'shield' },
  { page: 'trash', label: 'Trash', icon: 'trash' },
  { page: 'storage', label: 'Storage', icon: 'chart' }
] as const;

type OpenDialog = 'rename' | 'type' | 'trash' | null;

export function Workspace({ core, actions }: { core: Core; actions: WorkspaceActions }): JSX.Element {
  const [state, setState] = useState<TableState>(restoreState);
  const [at, setAt] = useState<Wanted>({ page: 'rows', project: '' });
  const held = useStore(core.held);
  const [sheet, setSheet] = useState(false);
  const [menu, setMenu] = useState<{ x: number; y: number } | null>(null);
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const [dropped, setDropped] = useState<Picked[] | null>(null);
  const pages = useMemo(
    () =>
      new PagedRows<Entry, EntryQuery>(
        (query, offset, limit) => core.api.entries({ ...query, offset, limit }),
        {}
      ),
    [core]
  );
  const rows = useStore(pages.rows);
  const chosen = useStore(core.selection);
  const planner = useStore(core.planner.tool);
  const selection = useSelection(core, rows);
  const settled = useSettled(state, 150);
  const drop = useDrop(setDropped);

  useEffect(() => saveState(state), [state]);
  useEffect(() => pages.ask(toQuery(settled)), [pages, settled]);
  useEffect(() => {
    let timer = 0;
    const soon = (): void => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => pages.reload(), 250);
    };
    return core.events.on('dataset', soon);
  }, [core, pages]);

  const wanted = useStore(core.wanted);
  useEffect(() => {
    if (wanted) {
      core.wanted.set(null);
      setAt(wanted);
      if (wanted.page === 'rows') {
        setState({
          ...INITIAL,
          project: wanted.project,
          batch: wanted.batch?.id ?? '',
          batch_title: wanted.batch?.title ?? ''
        });
      }
    }
  }, [core, wanted]);

  const change = (part: Partial<TableState>): void => setState(before => ({ ...before, ...part }));
  const obstacle = viewObstacle(chosen);
  const one = chosen.length === 1 ? chosen[0]! : null;
  const items: MenuItem[] = [
    {
      label: chosen.length === 2 ? 'View with overlay' : 'View',
      icon: 'eye',
      disabled: !!obstacle,
      onChoose: () => actions.view(chosen)
    },
    { label: 'Details', icon: 'info', disabled: !one, onChoose: () => setSheet(true) },
    { label: 'Use in a tool', icon: 'tools', disabled: chosen.length === 0, onChoose: actions.useInTool },
    // Always there, so that the table does not move below a double click.
    ...(planner
      ? [
          {
            label: 'Plan',
            icon: 'planner' as const,
            disabled: !core.planner.fits(chosen),
            onChoose: () => actions.plan(chosen)
          }
        ]
      : []),
    { label: 'Rename', icon: 'pencil', disabled: !one, onChoose: () => setDialog('rename') },
    { label: 'Edit type', icon: 'tag', disabled: chosen.length === 0, onChoose: () => setDialog('type') },
    {
      label: 'Delete to trash',
      icon: 'trash',
      danger: true,
      disabled: chosen.length === 0,
      onChoose: () => setDialog('trash')
    }
  ];
  const closeDialog = (): void => {
    setDialog(null);
    pages.reload();
  };

  return (
    <div className={`vx-Workspace${drop.over ? ' vx-mod-over' : ''}`} {...drop.handlers}>
      <Banners core={core} />
      <div className="vx-Toolbar">
        <BringIn core={core} project={state.project} compact />
        <span className="vx-Spacer" />
        {PAGES.map(({ page, label, icon }) => (
          <Button
            key={page}
            label={label}
            icon={icon}
            kind="quiet"
            testId={`show-${page}`}
            badge={page === 'quarantine' ? held : 0}
            pressed={at.page === page}
            onClick={() => setAt({ page: at.page === page ? 'rows' : page, project: state.project })}
          />
        ))}
      </div>
      {at.page === 'trash' && <Trash core={core} />}
      {at.page === 'quarantine' && (
        <Quarantine core={core} wanted={at} onWanted={setAt} onRows={core.wanted.set} />
      )}
      {at.page === 'storage' && <StoragePage core={core} project={at.project} />}
      {at.page === 'rows' && (
        <>
          <Filters core={core} state={state} onChange={change} />
          <div className="vx-ActionBar" role="toolbar" aria-label="Actions for the selection">
            <span className="vx-Count" data-testid="row-count" role="status">
              {chosen.length > 0
                ? `${chosen.length} of ${count(rows.total, 'row')} selected`
                : count(rows.total, 'row')}
            </span>
            {items.map(item => (
              <Button
                key={item.icon}
                label={item.label}
                icon={item.icon}
                kind={item.icon === 'tools' && !item.disabled ? 'primary' : 'quiet'}
                title={item.icon === 'eye' && chosen.length > 0 ? obstacle || undefined : undefined}
                disabled={item.disabled}
                testId={`action-${item.icon}`}
                onClick={item.onChoose}
              />
            ))}
          </div>
          {rows.problem && <ProblemNotice problem={rows.problem} onRetry={() => pages.reload()} />}
          <div className="vx-Workspace-body">
            {rows.ready && rows.total === 0 ? (
              isFiltered({ ...settled, project: '' }) ? (
                <Empty icon="search" title="No row fits these filters">
                  <Button label="Clear filters" onClick={() => change({ ...INITIAL, sort: state.sort })} />
                </Empty>
              ) : (
                <Empty icon="upload" title="Bring your first study in">
                  <p>
                    Drop a folder of DICOM files, a NIfTI volume, an image, a table or an archive here, or
                    choose them with “Upload files”.
                  </p>
                  <p>
                    The content decides what each file is; you then view it, run a tool on it, or read it in a
                    notebook.
                  </p>
                </Empty>
              )
            ) : (
              <Grid
                core={core}
                pages={pages}
                rows={rows}
                selection={selection}
                sort={state.sort}
                onSort={column => change({ sort: toggled(state.sort, column) })}
                onOpen={entry => (viewObstacle([entry]) ? setSheet(true) : actions.view([entry]))}
                onTrash={() => chosen.length > 0 && setDialog('trash')}
                onMenu={(x, y) => setMenu({ x, y })}
              />
            )}
            {sheet && one && <Details key={one.id} core={core} entry={one} onClose={() => setSheet(false)} />}
          </div>
        </>
      )}
      {drop.over && (
        <div className="vx-DropHint" aria-hidden="true">
          Drop to upload
        </div>
      )}
      {menu && <Menu {...menu} label="Actions" items={items} onClose={() => setMenu(null)} />}
      {dropped && (
        <UploadDialog core={core} picked={dropped} project={state.project} onClose={() => setDropped(null)} />
      )}
      {dialog === 'rename' && one && <RenameDialog core={core} entry={one} onClose={closeDialog} />}
      {dialog === 'type' && chosen.length > 0 && (
        <TypeDialog core={core} entries={chosen} onClose={closeDialog} />
      )}
      {dialog === 'trash' && chosen.length > 0 && (
        <TrashDialog core={core} entries={chosen} onClose={closeDialog} />
      )}
    </div>
  );
}
