/** Warns before this server is culled, and tells the server that a person is at work. */
import { Dialog, showDialog } from '@jupyterlab/apputils';

import type { Core } from '../core';
import { duration } from '../shared/format';

const LOOK = 20_000; // ms between two looks
const REPORT = 60_000; // ms between two reports of use

/** Seconds until the server is culled, by the server's own clock; null when it is not going to be. */
export function secondsLeft(server: { cull_at: string | null; now: string }): number | null {
  return server.cull_at === null ? null : (Date.parse(server.cull_at) - Date.parse(server.now)) / 1000;
}

export function watchCulling(core: Core): void {
  let used = false;
  let warning = false;
  const mark = (): void => {
    used = true;
  };
  ['pointerdown', 'keydown', 'wheel'].forEach(name =>
    window.addEventListener(name, mark, { capture: true, passive: true })
  );

  const warn = async (left: number): Promise<void> => {
    warning = true;
    const stopTime = new Date(Date.now() + left * 1000).toLocaleTimeString([], {
      hour: '2-digit',
      minute: '2-digit'
    });
    const answer = await showDialog({
      title: 'Your server is about to be stopped',
      body: `Nobody has used it for a while and no kernel is computing. It is stopped in ${duration(left)}, at ${stopTime}. Files and datasets stay; variables in notebooks are lost.`,
      buttons: [Dialog.okButton({ label: 'Keep working' })],
      hasClose: false
    });
    warning = false;
    if (answer.button.accept) {
      core.server.set(await core.api.touchServer());
    }
  };
  const look = async (): Promise<void> => {
    try {
      const server = await core.api.server();
      core.server.set(server);
      const left = secondsLeft(server);
      if (left !== null && server.cull_warning > 0 && left <= server.cull_warning && !warning) {
        await warn(Math.max(0, left));
      }
    } catch {
      // The server restarts or is gone; Lab's own dialog says so.
    }
  };
  const report = async (): Promise<void> => {
    if (used && !warning) {
      used = false;
      try {
        core.server.set(await core.api.touchServer());
      } catch {
        used = true;
      }
    }
  };
  window.setInterval(() => void look(), LOOK);
  window.setInterval(() => void report(), REPORT);
  void look();
}
