import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import type { Core } from '../core';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import type { Cluster } from '../shared/types';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { DashboardPage } from './dashboard';
import { ClustersPanel } from './panel';
import { clientCell } from './words';

const PREFIX = 'voxelhub-dashboard-';
const INSERT = 'notebook:insert-cell-below';

type DashboardWidget = MainAreaWidget<PanelWidget>;

function makeDashboard(core: Core, id: string): DashboardWidget {
  const content: PanelWidget = new PanelWidget(
    { id: `${PREFIX}${id}-content`, title: 'Dashboard', icon: labIcon('gauge'), closable: true },
    () => (
      <DashboardPage
        core={core}
        id={id}
        onTitle={title => {
          content.title.label = title;
          content.title.caption = `Dashboard of ${title}`;
        }}
      />
    )
  );
  const widget = new MainAreaWidget({ content });
  widget.id = PREFIX + id;
  return widget;
}

/** Into the notebook in front, below the active cell; on the clipboard where none is. */
async function insertClient(app: JupyterFrontEnd, cluster: Cluster): Promise<void> {
  const { commands } = app;
  const text = clientCell(cluster.id);
  if (commands.hasCommand(INSERT) && commands.isEnabled(INSERT)) {
    await commands.execute(INSERT);
    await commands.execute('notebook:replace-selection', { text });
    return;
  }
  await navigator.clipboard.writeText(text);
  Notification.info('No notebook is in front, so the code is on the clipboard.', { autoClose: 6000 });
}

export const clustersPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.clusters,
  description: 'Dask clusters: creates, shows, scales and closes them.',
  autoStart: true,
  requires: [ICore],
  optional: [ILauncher, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    core: Core,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const tracker = new WidgetTracker<DashboardWidget>({ namespace: 'voxelhub-dashboards' });
    const panel = new PanelWidget(
      { id: 'voxelhub-clusters', title: 'Clusters', icon: labIcon('clusters') },
      () => (
        <ClustersPanel
          core={core}
          actions={{
            dashboard: cluster => core.execute(CommandIds.openDashboard, { cluster: cluster.id }),
            insertClient: cluster => void insertClient(app, cluster).catch(error => core.report(error))
          }}
        />
      )
    );
    app.shell.add(panel, 'right', { rank: 55 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIds.openClusters, {
      label: args => (args['isLauncher'] ? 'Clusters' : 'VoxelHub: clusters'),
      caption: 'Compute with many workers at once',
      icon: labIcon('clusters'),
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand(CommandIds.openDashboard, {
      label: 'VoxelHub: open the dashboard of a cluster',
      isVisible: () => false,
      execute: args => {
        const id = String(args['cluster'] ?? '');
        const widget = tracker.find(one => one.id === PREFIX + id) ?? makeDashboard(core, id);
        if (!widget.isAttached) {
          app.shell.add(widget, 'main', { mode: 'split-right' });
          void tracker.add(widget);
        }
        app.shell.activateById(widget.id);
      }
    });
    const command = CommandIds.openClusters;
    launcher?.add({ command, args: { isLauncher: true }, category: 'VoxelHub', rank: 1.5 });
    palette?.addItem({ command, category: 'VoxelHub' });
    void restorer?.restore(tracker, {
      command: CommandIds.openDashboard,
      args: widget => ({ cluster: widget.id.slice(PREFIX.length) }),
      name: widget => widget.id
    });
  }
};
