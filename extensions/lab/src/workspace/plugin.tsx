import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import type { Core } from '../core';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { Workspace } from './panel';

const ID = 'voxelhub-workspace';

function makeWorkspace(app: JupyterFrontEnd, core: Core): MainAreaWidget<PanelWidget> {
  const actions = {
    view: (entries: Parameters<typeof core.selection.set>[0]) => {
      core.selection.set(entries);
      void app.commands.execute(CommandIds.view);
    },
    useInTool: () => void app.commands.execute(CommandIds.openTools)
  };
  const content = new PanelWidget(
    { id: `${ID}-content`, title: 'Workspace', icon: labIcon('workspace'), closable: true },
    () => <Workspace core={core} actions={actions} />
  );
  const widget = new MainAreaWidget({ content });
  widget.id = ID;
  return widget;
}

export const workspacePlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.workspace,
  description: 'The table of all files and datasets of my projects.',
  autoStart: true,
  requires: [ICore],
  optional: [ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    core: Core,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ) => {
    const tracker = new WidgetTracker<MainAreaWidget<PanelWidget>>({ namespace: 'voxelhub-workspace' });
    app.commands.addCommand(CommandIds.openWorkspace, {
      label: args => (args['isLauncher'] ? 'Workspace' : 'VoxelHub: workspace'),
      caption: 'Datasets, results and what to do with them',
      icon: labIcon('workspace'),
      execute: args => {
        if (typeof args['dataset'] === 'string') {
          core.wanted.set({ page: 'rows', project: String(args['project'] ?? '') });
        }
        const widget = tracker.currentWidget ?? makeWorkspace(app, core);
        if (!widget.isAttached) {
          app.shell.add(widget, 'main');
          void tracker.add(widget);
        }
        app.shell.activateById(widget.id);
      }
    });
    launcher?.add({
      command: CommandIds.openWorkspace,
      args: { isLauncher: true },
      category: 'VoxelHub',
      rank: 0
    });
    void restorer?.restore(tracker, { command: CommandIds.openWorkspace, name: () => ID });
  }
};
