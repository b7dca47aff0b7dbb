import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';

import type { Core, Wanted } from '../core';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { DatasetsPanel } from './panel';

const SEEN = 'voxelhub:datasets-seen';

export const datasetsPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.datasets,
  description: 'The sidebar where data comes in.',
  autoStart: true,
  requires: [ICore],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, core: Core, restorer: ILayoutRestorer | null) => {
    const show = (wanted: Wanted): void => {
      core.wanted.set(wanted);
      void app.commands.execute(CommandIds.openWorkspace);
    };
    const panel = new PanelWidget(
      { id: 'voxelhub-datasets', title: 'Datasets', icon: labIcon('datasets') },
      () => (
        <DatasetsPanel
          core={core}
          onOpen={dataset => {
            core.highlight(dataset.id);
            show({ page: 'rows', project: dataset.project });
          }}
          onWorkspace={() => void app.commands.execute(CommandIds.openWorkspace)}
          onShow={show}
        />
      )
    );
    app.shell.add(panel, 'left', { rank: 50 });
    restorer?.add(panel, panel.id);
    void app.restored.then(() => {
      // Who comes for the first time finds the data first; afterwards Lab restores what was open.
      if (!localStorage.getItem(SEEN)) {
        localStorage.setItem(SEEN, 'yes');
        app.shell.activateById(panel.id);
      }
    });
    app.commands.addCommand(CommandIds.openDatasets, {
      label: 'VoxelHub: datasets',
      execute: () => app.shell.activateById(panel.id)
    });
  }
};
