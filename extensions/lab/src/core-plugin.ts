import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Core } from './core';
import { ICore, PluginIds } from './tokens';

export const corePlugin: JupyterFrontEndPlugin<Core> = {
  id: PluginIds.core,
  description: 'Client, event stream and shared state of the VoxelHub panels.',
  autoStart: true,
  provides: ICore,
  activate: (app: JupyterFrontEnd) => {
    const core = new Core();
    core.execute = (command, args) =>
      void app.commands.execute(command, args).catch(error => core.report(error));
    void app.restored.then(() => core.start());
    return core;
  }
};
