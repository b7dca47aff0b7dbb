/** All plugins of the package; each can be disabled by its id. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { accessPlugin } from './access/plugin';
import { auditPlugin } from './audit/plugin';
import { clustersPlugin } from './clusters/plugin';
import { corePlugin } from './core-plugin';
import { cullingPlugin } from './culling/plugin';
import { datasetsPlugin } from './datasets/plugin';
import { developPlugin } from './develop/plugin';
import { lineagePlugin } from './lineage/plugin';
import { plannerPlugin } from './planner/plugin';
import { spendPlugin } from './spend/plugin';
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
  clustersPlugin,
  plannerPlugin,
  lineagePlugin,
  developPlugin,
  spendPlugin,
  auditPlugin,
  accessPlugin,
  cullingPlugin
];

export default plugins;
