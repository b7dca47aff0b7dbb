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
    void app.restored.then(() => core.start());
    return core;
  }
};
