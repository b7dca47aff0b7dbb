import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import type { Core } from '../core';
import { ICore, PluginIds } from '../tokens';
import { watchCulling } from './watch';

export const cullingPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.culling,
  description: 'Warns before an idle server is stopped.',
  autoStart: true,
  requires: [ICore],
  activate: (app: JupyterFrontEnd, core: Core) => {
    void app.restored.then(() => watchCulling(core));
  }
};
