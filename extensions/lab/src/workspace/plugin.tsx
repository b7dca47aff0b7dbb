import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import type { Core } from '../core';
import { addSinglePage } from '../shared/single-page';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { Workspace, type WorkspaceActions } from './panel';

function actionsOf(app: JupyterFrontEnd, core: Core): WorkspaceActions {
  return {
    view: entries => {
      core.selection.set(entries);
      void app.commands.execute(CommandIds.view);
    },
    useInTool: () => void app.commands.execute(CommandIds.openTools),
    plan: slides => {
      core.planner.slides.set(slides);
      void app.commands.execute(CommandIds.openPlanner);
    }
  };
}

export const workspacePlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.workspace,
  description: 'The table of all files and datasets of my projects.',
  autoStart: true,
  requires: [ICore],
  optional: [ILauncher, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    core: Core,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const actions = actionsOf(app, core);
    addSinglePage(
      app,
      { launcher, palette, restorer },
      {
        id: 'voxelhub-workspace',
        command: CommandIds.openWorkspace,
        title: 'Workspace',
        caption: 'Datasets, results and what to do with them',
        icon: 'workspace',
        rank: 0,
        before: args => {
          if (typeof args['dataset'] === 'string') {
            core.wanted.set({ page: 'rows', project: String(args['project'] ?? '') });
          }
        },
        render: () => <Workspace core={core} actions={actions} />
      }
    );
  }
};
