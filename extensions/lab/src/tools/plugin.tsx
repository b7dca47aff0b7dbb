import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';

import type { Core } from '../core';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { ToolsPanel } from './panel';

export const toolsPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.tools,
  description: 'Runs packaged analyses on what is selected.',
  autoStart: true,
  requires: [ICore],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, core: Core, restorer: ILayoutRestorer | null) => {
    const panel = new PanelWidget({ id: 'voxelhub-tools', title: 'Tools', icon: labIcon('tools') }, () => (
      <ToolsPanel
        core={core}
        onResult={run => {
          if (run.output_dataset_id) {
            core.highlight(run.output_dataset_id);
            void app.commands.execute(CommandIds.openWorkspace, {
              project: run.project,
              dataset: run.output_dataset_id
            });
          }
        }}
        actions={{
          open: entry => {
            core.selection.set([entry]);
            void app.commands.execute(CommandIds.view);
          },
          showBatch: batch => {
            void app.commands.execute(CommandIds.openWorkspace);
            core.wanted.set({
              page: 'rows',
              project: batch.project,
              batch: { id: batch.id, title: batch.title }
            });
          },
          showDataset: (project, dataset) => {
            core.highlight(dataset);
            void app.commands.execute(CommandIds.openWorkspace, { project, dataset });
          }
        }}
      />
    ));
    app.shell.add(panel, 'right', { rank: 50 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIds.openTools, {
      label: 'VoxelHub: tools',
      execute: () => app.shell.activateById(panel.id)
    });
  }
};
