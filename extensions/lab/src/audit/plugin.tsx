import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import type { Core } from '../core';
import { addSinglePage } from '../shared/single-page';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { ActivityPage } from './page';

export const auditPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.audit,
  description: 'What was recorded under my name; for auditors the whole audit log.',
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
        id: 'voxelhub-activity',
        command: CommandIds.openActivity,
        title: 'Activity',
        caption: 'What was recorded under your name',
        icon: 'shield',
        rank: 3,
        render: () => <ActivityPage core={core} />
      }
    );
  }
};
