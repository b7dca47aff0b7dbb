import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';

import type { Core } from '../core';
import { freePath } from '../shared/home';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { LineagePage, type Subject } from './page';

const LONG = 24; // letters of a tab

export const lineagePlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.lineage,
  description: 'Where a result comes from, and a run as a notebook.',
  autoStart: true,
  requires: [ICore],
  activate: (app: JupyterFrontEnd, core: Core) => {
    const actions = {
      showEntry: (id: string) =>
        void core.api.entry(id).then(
          entry => {
            core.highlight(entry.dataset_id);
            void app.commands.execute(CommandIds.openWorkspace, {
              project: entry.project,
              dataset: entry.dataset_id
            });
          },
          error => core.report(error)
        ),
      viewEntry: (id: string) =>
        void core.api.entry(id).then(
          entry => {
            core.selection.set([entry]);
            void app.commands.execute(CommandIds.view);
          },
          error => core.report(error)
        ),
      history: (subject: Subject) => void app.commands.execute(CommandIds.openLineage, { ...subject })
    };
    app.commands.addCommand(CommandIds.openLineage, {
      label: 'VoxelHub: history of the selected row',
      caption: 'Where it comes from, and what was made from it',
      icon: labIcon('history'),
      isEnabled: args => !!(args['entry'] || args['run']) || core.selection.get().length === 1,
      execute: args => {
        const run = args['run'] ? String(args['run']) : undefined;
        const entry = args['entry'] ? String(args['entry']) : run ? undefined : core.selection.get()[0]?.id;
        const id = `voxelhub-lineage-${run ?? entry}`;
        const open = [...app.shell.widgets('main')].find(widget => widget.id === id);
        if (!open) {
          const onTitle = (title: string): void => {
            content.title.caption = `History of ${title}`;
            content.title.label = title.length > LONG ? `${title.slice(0, LONG)}…` : title;
          };
          const content: PanelWidget = new PanelWidget(
            { id: `${id}-content`, title: 'History', icon: labIcon('history'), closable: true },
            () => <LineagePage core={core} subject={{ run, entry }} actions={actions} onTitle={onTitle} />
          );
          const widget = new MainAreaWidget({ content });
          widget.id = id;
          app.shell.add(widget, 'main');
        }
        app.shell.activateById(id);
      }
    });
    app.commands.addCommand(CommandIds.openRunNotebook, {
      label: 'VoxelHub: open a run as a notebook',
      isVisible: () => false,
      execute: async args => {
        const { name, content } = await core.api.runNotebook(String(args['run']));
        const contents = app.serviceManager.contents;
        const path = await freePath(contents, name);
        await contents.save(path, { type: 'notebook', format: 'json', content });
        await app.commands.execute('docmanager:open', { path });
      }
    });
  }
};
