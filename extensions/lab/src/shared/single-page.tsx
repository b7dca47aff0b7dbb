/** A main-area page of which there is one: a command opens it or brings it to the front; a reload brings it back. */
import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker, type ICommandPalette } from '@jupyterlab/apputils';
import type { ILauncher } from '@jupyterlab/launcher';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { labIcon, type IconName } from './icons';
import { PanelWidget } from './widget';

export interface Offers {
  launcher: ILauncher | null;
  palette: ICommandPalette | null;
  restorer: ILayoutRestorer | null;
}

export interface SinglePage {
  id: string;
  command: string;
  title: string;
  /** What the launcher says below the title. */
  caption: string;
  icon: IconName;
  /** Its place in the launcher. */
  rank: number;
  render: () => JSX.Element;
  /** Before it shows, with what the command was given. */
  before?: (args: ReadonlyPartialJSONObject) => void;
}

export function addSinglePage(app: JupyterFrontEnd, offers: Offers, page: SinglePage): void {
  const { id, command, title } = page;
  const tracker = new WidgetTracker<MainAreaWidget<PanelWidget>>({ namespace: id });
  const icon = labIcon(page.icon);
  const make = (): MainAreaWidget<PanelWidget> => {
    const content = new PanelWidget({ id: `${id}-content`, title, icon, closable: true }, page.render);
    const widget = new MainAreaWidget({ content });
    widget.id = id;
    return widget;
  };
  app.commands.addCommand(command, {
    label: args => (args['isLauncher'] ? title : `VoxelHub: ${title.toLowerCase()}`),
    caption: page.caption,
    icon,
    execute: args => {
      page.before?.(args);
      const widget = tracker.currentWidget ?? make();
      if (!widget.isAttached) {
        app.shell.add(widget, 'main');
        void tracker.add(widget);
      }
      app.shell.activateById(widget.id);
    }
  });
  offers.launcher?.add({ command, args: { isLauncher: true }, category: 'VoxelHub', rank: page.rank });
  offers.palette?.addItem({ command, category: 'VoxelHub' });
  void offers.restorer?.restore(tracker, { command, name: () => id });
}
