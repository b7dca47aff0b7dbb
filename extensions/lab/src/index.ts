/** All plugins of the package; each can be disabled by its id. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { accessPlugin } from './access/plugin';
import { corePlugin } from './core-plugin';
import { cullingPlugin } from './culling/plugin';
import { datasetsPlugin } from './datasets/plugin';
import { toolsPlugin } from './tools/plugin';
import { niftiFilesPlugin, viewerPlugin } from './viewer/plugin';
import { workspacePlugin } from './workspace/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  corePlugin,
  viewerPlugin,
  niftiFilesPlugin,
  workspacePlugin,
  datasetsPlugin,
  toolsPlugin,
  accessPlugin,
  cullingPlugin
];

export default plugins;
