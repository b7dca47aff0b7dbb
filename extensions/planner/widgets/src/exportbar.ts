// Buttons that hand the chosen plan on: as a file, a picture, or a cell of a notebook.
import { button, h } from './dom';
import { planCell, planCsv, planJson } from './exporting';
import type { Session } from './session';
import type { Exported, ExportKind, Plan } from './types';

const TITLES: Record<ExportKind, string> = {
  json: 'Plan as JSON',
  csv: 'Plan as CSV',
  png: 'Picture as PNG',
  cell: 'Copy as notebook cell'
};

export class ExportBar {
  readonly element: HTMLElement;
  private readonly shown = h('textarea', {
    readonly: true,
    rows: 8,
    hidden: true,
    'aria-label': 'Code that rebuilds this plan'
  });

  constructor(
    private readonly session: Session,
    private readonly picture: () => HTMLCanvasElement,
    private readonly say: (text: string) => void
  ) {
    const kinds = Object.keys(TITLES) as ExportKind[];
    this.element = h(
      'section',
      { class: 'card wide', 'aria-labelledby': 'export-title' },
      h('h3', { id: 'export-title' }, 'Take it with you'),
      h(
        'div',
        { class: 'presets' },
        ...kinds.map(kind =>
          button(TITLES[kind], () => void this.give(kind), { class: 'chip', 'data-export': kind })
        )
      ),
      this.shown
    );
    const toggle = (): void => {
      this.element.hidden = !session.plan;
    };
    session.listen(change => change === 'study' && toggle());
    toggle();
  }

  private async give(kind: ExportKind): Promise<void> {
    const { plan, options } = this.session;
    if (!plan) return;
    const made = await this.made(kind, plan);
    if (!made) return this.say('The picture could not be made.');
    if (options.onExport) options.onExport(made);
    else if (kind === 'cell') await this.copy(String(made.content));
    else {
      download(made);
      this.say(`${made.name} is saved.`);
    }
  }

  private async made(kind: ExportKind, plan: Plan): Promise<Exported | null> {
    const { study, selected } = this.session;
    const name = `plan-${selected + 1}`;
    if (kind === 'json') return { kind, name: `${name}.json`, content: planJson(study, plan) };
    if (kind === 'csv') return { kind, name: `${name}.csv`, content: planCsv(study, plan) };
    if (kind === 'cell') return { kind, name: `${name}.py`, content: planCell(study, plan) };
    const content = await onGround(this.picture());
    return content && { kind, name: 'plans.png', content };
  }

  /** Where the clipboard may not be written, the code is shown to be copied by hand. */
  private async copy(code: string): Promise<void> {
    this.shown.value = code;
    this.shown.hidden = false;
    try {
      await navigator.clipboard.writeText(code);
      this.say('The code is copied: paste it into a cell. It is also shown below.');
    } catch {
      this.shown.focus();
      this.shown.select();
      this.say('This page may not write the clipboard: copy the code below.');
    }
  }
}

function download({ name, content }: Exported): void {
  const type = name.endsWith('.json') ? 'application/json' : 'text/csv;charset=utf-8';
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = h('a', { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** The canvas on the colour that lies behind it on the page. */
async function onGround(canvas: HTMLCanvasElement): Promise<Blob | null> {
  const copy = h('canvas', { width: canvas.width, height: canvas.height });
  const context = copy.getContext('2d');
  if (!context) return null;
  context.fillStyle = getComputedStyle(canvas).getPropertyValue('--ground').trim() || '#fff';
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  return new Promise(done => copy.toBlob(done, 'image/png'));
}
