import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { FileDialog, IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';

import type { Core } from '../core';
import { addSinglePage } from '../shared/single-page';
import { CommandIds, ICore, PluginIds } from '../tokens';
import type { Folders } from './folder';
import { DevelopPage } from './page';

function foldersOf(app: JupyterFrontEnd, browser: IDefaultFileBrowser | null): Folders {
  return {
    choose: async () => {
      if (!browser) {
        return null;
      }
      const chosen = await FileDialog.getExistingDirectory({ manager: browser.model.manager });
      return chosen.button.accept ? (chosen.value?.[0]?.path ?? null) : null;
    },
    show: path => {
      void app.commands.execute('filebrowser:go-to-path', { path });
    }
  };
}

export const developPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.develop,
  description: 'Make, check and submit tools; review them.',
  autoStart: true,
  requires: [ICore],
  optional: [ILauncher, ICommandPalette, ILayoutRestorer, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    core: Core,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    browser: IDefaultFileBrowser | null
  ) => {
    addSinglePage(
      app,
      { launcher, palette, restorer },
      {
        id: 'voxelhub-develop',
        command: CommandIds.openDevelop,
        title: 'Develop tools',
        caption: 'Package an analysis as a tool, check it and submit it',
        icon: 'tools',
        rank: 2,
        render: () => (
          <DevelopPage
            core={core}
            folders={foldersOf(app, browser)}
            onTry={() => void app.commands.execute(CommandIds.openTools)}
          />
        )
      }
    );
  }
};
