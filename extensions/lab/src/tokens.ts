/** What the panels share; importing this module has no side effects. */
import { Token } from '@lumino/coreutils';

import type { Core } from './core';

export const ICore = new Token<Core>(
  '@voxelhub/lab:ICore',
  'State and client shared by the VoxelHub panels.'
);

export const PluginIds = {
  core: '@voxelhub/lab:core',
  datasets: '@voxelhub/lab:datasets',
  workspace: '@voxelhub/lab:workspace',
  viewer: '@voxelhub/lab:viewer',
  niftiFiles: '@voxelhub/lab:nifti-files',
  tools: '@voxelhub/lab:tools',
  planner: '@voxelhub/lab:planner',
  clusters: '@voxelhub/lab:clusters',
  spend: '@voxelhub/lab:spend',
  lineage: '@voxelhub/lab:lineage',
  develop: '@voxelhub/lab:develop',
  audit: '@voxelhub/lab:audit',
  access: '@voxelhub/lab:access',
  culling: '@voxelhub/lab:culling'
} as const;

export const CommandIds = {
  openDatasets: 'voxelhub:open-datasets',
  openWorkspace: 'voxelhub:open-workspace',
  openTools: 'voxelhub:open-tools',
  openPlanner: 'voxelhub:open-planner',
  openPlan: 'voxelhub:open-plan',
  openClusters: 'voxelhub:open-clusters',
  openDashboard: 'voxelhub:open-cluster-dashboard',
  openSpend: 'voxelhub:open-spend',
  openDevelop: 'voxelhub:open-develop',
  openLineage: 'voxelhub:open-lineage',
  openRunNotebook: 'voxelhub:open-run-notebook',
  openActivity: 'voxelhub:open-activity',
  openAccess: 'voxelhub:open-access',
  view: 'voxelhub:view'
} as const;
