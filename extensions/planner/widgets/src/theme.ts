// Light or dark, as the page around is: JupyterLab's colours where they are, else the system's.

export interface Theme {
  dark: boolean;
  ink: string;
  muted: string;
  line: string;
  ground: string;
  accent: string;
  warn: string;
}

/** Sets `data-theme` on the host, now and whenever the page changes; returns how to stop. */
export function followTheme(host: HTMLElement, changed: () => void): () => void {
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const apply = (): void => {
    const ground = getComputedStyle(host).getPropertyValue('--jp-layout-color1').trim();
    const dark = ground ? isDark(ground) : system.matches;
    const name = dark ? 'dark' : 'light';
    if (host.dataset['theme'] !== name) {
      host.dataset['theme'] = name;
      changed();
    }
  };
  apply();
  const watcher = new MutationObserver(() => requestAnimationFrame(apply));
  for (const element of [document.documentElement, document.body]) {
    watcher.observe(element, {
      attributes: true,
      attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light', 'class', 'style']
    });
  }
  const sheets = new MutationObserver(() => setTimeout(apply, 200)); // JupyterLab swaps a stylesheet, which loads later
  sheets.observe(document.head, { childList: true });
  system.addEventListener('change', apply);
  return () => {
    watcher.disconnect();
    sheets.disconnect();
    system.removeEventListener('change', apply);
  };
}

export function themeOf(host: HTMLElement): Theme {
  const style = getComputedStyle(host);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    dark: host.dataset['theme'] === 'dark',
    ink: value('--ink'),
    muted: value('--muted'),
    line: value('--line'),
    ground: value('--ground'),
    accent: value('--accent'),
    warn: value('--warn')
  };
}

function isDark(colour: string): boolean {
  const probe = document.createElement('canvas').getContext('2d');
  if (!probe) return false;
  probe.fillStyle = '#fff';
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return 0.299 * red! + 0.587 * green! + 0.114 * blue! < 128;
}
