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
  access: '@voxelhub/lab:access',
  culling: '@voxelhub/lab:culling'
} as const;

export const CommandIds = {
  openDatasets: 'voxelhub:open-datasets',
  openWorkspace: 'voxelhub:open-workspace',
  openTools: 'voxelhub:open-tools',
  openAccess: 'voxelhub:open-access',
  view: 'voxelhub:view'
} as const;
