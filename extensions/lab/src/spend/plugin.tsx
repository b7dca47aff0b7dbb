import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import type { Core } from '../core';
import { addSinglePage } from '../shared/single-page';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { SpendPage } from './page';
import { watchBudgets } from './warning';

export const spendPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.spend,
  description: 'What notebook servers, clusters and runs cost, and what is left of the budgets.',
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
    addSinglePage(
      app,
      { launcher, palette, restorer },
      {
        id: 'voxelhub-spend',
        command: CommandIds.openSpend,
        title: 'Spend',
        caption: 'What your work cost, and what is left of the budgets',
        icon: 'spend',
        rank: 2.5,
        render: () => <SpendPage core={core} />
      }
    );
    void app.restored.then(() => watchBudgets(core));
  }
};
