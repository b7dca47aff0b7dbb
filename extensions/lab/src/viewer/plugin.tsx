import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';

import type { Core } from '../core';
import type { Entry } from '../shared/types';
import { isPlan } from '../planner/state';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { registerNifti } from './nifti-files';
import { EntryViewer, layered } from './view';

export const viewerPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.viewer,
  description: 'Shows volumes in three planes, and images, tables and text.',
  autoStart: true,
  requires: [ICore],
  activate: (app: JupyterFrontEnd, core: Core) => {
    app.commands.addCommand(CommandIds.view, {
      label: 'VoxelHub: view the selection',
      isEnabled: () => core.selection.get().length > 0,
      execute: () => {
        const entries: Entry[] = layered(core.selection.get());
        const [first] = entries;
        if (entries.length === 1 && first && isPlan(first) && app.commands.hasCommand(CommandIds.openPlan)) {
          core.execute(CommandIds.openPlan, { entry: first.id });
          return;
        }
        const id = `voxelhub-view-${entries.map(entry => entry.id).join('-')}`;
        const open = [...app.shell.widgets('main')].find(widget => widget.id === id);
        if (!open && entries.length > 0) {
          const title = entries.map(entry => entry.name).join(' + ');
          const content = new PanelWidget(
            { id: `${id}-content`, title, icon: labIcon('eye'), closable: true },
            () => <EntryViewer core={core} entries={entries} />
          );
          const widget = new MainAreaWidget({ content });
          widget.id = id;
          app.shell.add(widget, 'main');
        }
        app.shell.activateById(id);
      }
    });
  }
};

export const niftiFilesPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.niftiFiles,
  description: 'Opens .nii and .nii.gz files from the file browser.',
  autoStart: true,
  activate: registerNifti
};
