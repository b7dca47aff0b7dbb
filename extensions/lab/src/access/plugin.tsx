import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';

import type { Core } from '../core';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { AccessPanel } from './panel';

export const accessPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.access,
  description: 'Shows a short-lived access token, masked.',
  autoStart: true,
  requires: [ICore],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, core: Core, restorer: ILayoutRestorer | null) => {
    const panel = new PanelWidget(
      { id: 'voxelhub-access', title: 'Access token', icon: labIcon('key') },
      () => <AccessPanel core={core} onActivity={() => void app.commands.execute(CommandIds.openActivity)} />
    );
    app.shell.add(panel, 'right', { rank: 910 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIds.openAccess, {
      label: 'VoxelHub: access token',
      execute: () => app.shell.activateById(panel.id)
    });
  }
};
