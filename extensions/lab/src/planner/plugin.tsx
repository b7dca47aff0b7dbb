import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import type { Contents } from '@jupyterlab/services';
import type { Exported } from '@voxelhub/planner-views';

import type { Core } from '../core';
import { freePath } from '../shared/home';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import type { Run } from '../shared/types';
import { CommandIds, ICore, PluginIds } from '../tokens';
import { notebookName, notebookOf } from './notebook';
import { PlannerPanel } from './panel';
import { StudyPage, type StudyActions } from './study';

const PREFIX = 'voxelhub-plan-';
const EXAMPLE = 'examples/plan-a-slide.ipynb';
const LONG = 24; // letters of a tab

type PlanWidget = MainAreaWidget<PanelWidget>;

async function base64(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  bytes.forEach(byte => (text += String.fromCharCode(byte)));
  return btoa(text);
}

/** Writes what the views export into the home; code goes to the clipboard. */
async function keep(contents: Contents.IManager, { kind, name, content }: Exported): Promise<string> {
  if (kind === 'cell') {
    await navigator.clipboard.writeText(String(content));
    return 'The code is on the clipboard.';
  }
  const path = await freePath(contents, name);
  await (typeof content === 'string'
    ? contents.save(path, { type: 'file', format: 'text', content })
    : contents.save(path, { type: 'file', format: 'base64', content: await base64(content) }));
  return `${path} is in your home: files of a clinical project are not downloaded.`;
}

function studyActions(app: JupyterFrontEnd, core: Core): StudyActions {
  const { contents } = app.serviceManager;
  return {
    history: entry => core.execute(CommandIds.openLineage, { entry: entry.id }),
    keep: exported =>
      void keep(contents, exported).then(
        said => Notification.success(said, { autoClose: 5000 }),
        error => core.report(error)
      ),
    notebook: (entry, plan) => {
      const make = async (): Promise<void> => {
        const path = await freePath(contents, notebookName(entry));
        await contents.save(path, { type: 'notebook', format: 'json', content: notebookOf(entry, plan) });
        await app.commands.execute('docmanager:open', { path });
      };
      void make().catch(error => core.report(error));
    }
  };
}

function makePlan(app: JupyterFrontEnd, core: Core, entry: string): PlanWidget {
  const actions = studyActions(app, core);
  const content: PanelWidget = new PanelWidget(
    { id: `${PREFIX}${entry}-content`, title: 'Plan', icon: labIcon('planner'), closable: true },
    () => <StudyPage core={core} id={entry} actions={actions} onTitle={onTitle} />
  );
  const onTitle = (title: string): void => {
    content.title.caption = title;
    content.title.label = title.length > LONG ? `${title.slice(0, LONG)}…` : title;
  };
  const widget = new MainAreaWidget({ content });
  widget.id = PREFIX + entry;
  return widget;
}

export const plannerPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.planner,
  description: 'Plans work on slides for machines that nobody trusts, and shows the plans.',
  autoStart: true,
  requires: [ICore],
  optional: [ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    core: Core,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ) => {
    const tracker = new WidgetTracker<PlanWidget>({ namespace: 'voxelhub-plans' });
    const openPlan = (run: Run): void => core.execute(CommandIds.openPlan, { run: run.id });
    const actions = {
      openPlan,
      ready: (run: Run) =>
        void Notification.success(`The plan for ${run.title} is ready.`, {
          autoClose: 8000,
          actions: [{ label: 'Open plan', callback: () => openPlan(run) }]
        }),
      openDatasets: () => core.execute(CommandIds.openDatasets),
      example: async () => {
        try {
          await app.serviceManager.contents.get(EXAMPLE, { content: false });
        } catch {
          return null;
        }
        return () => core.execute('docmanager:open', { path: EXAMPLE });
      }
    };
    const panel = new PanelWidget(
      { id: 'voxelhub-planner', title: 'Planner', icon: labIcon('planner') },
      () => <PlannerPanel core={core} actions={actions} />
    );
    app.shell.add(panel, 'right', { rank: 60 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIds.openPlanner, {
      label: args => (args['isLauncher'] ? 'Planner' : 'VoxelHub: planner'),
      caption: 'Plan work on slides for machines that nobody trusts',
      icon: labIcon('planner'),
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand(CommandIds.openPlan, {
      label: 'VoxelHub: open a plan',
      isVisible: () => false,
      execute: async args => {
        const entry = args['run']
          ? (await core.planner.planOf(String(args['run'])))?.id
          : String(args['entry'] ?? '');
        if (!entry) {
          Notification.warning('This run made no plan; its log says why.', { autoClose: 8000 });
          return;
        }
        const widget = tracker.find(one => one.id === PREFIX + entry) ?? makePlan(app, core, entry);
        if (!widget.isAttached) {
          app.shell.add(widget, 'main');
          void tracker.add(widget);
        }
        app.shell.activateById(widget.id);
      }
    });
    launcher?.add({
      command: CommandIds.openPlanner,
      args: { isLauncher: true },
      category: 'VoxelHub',
      rank: 1
    });
    void restorer?.restore(tracker, {
      command: CommandIds.openPlan,
      args: widget => ({ entry: widget.id.slice(PREFIX.length) }),
      name: widget => widget.id
    });
    // The workspace offers “Plan” for what the tool takes.
    void app.restored.then(() => core.planner.load()).catch(() => undefined);
  }
};
