// Elements in one line. Attributes given as true are set empty, false and null ones are left out.
export type Child = Node | string | null | undefined | false;
type Listeners = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
export type Attributes = Record<string, string | number | boolean | null | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, String(value));
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

export function on<T extends HTMLElement>(element: T, listeners: Listeners): T {
  for (const [name, heard] of Object.entries(listeners)) {
    element.addEventListener(name, heard as EventListener);
  }
  return element;
}

export function button(text: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return on(h('button', { type: 'button', ...attributes }, text), { click: act });
}

/** A table's row; the first cell heads it. */
export function row(cells: Child[], numeric: (column: number) => boolean = () => false): HTMLTableRowElement {
  return h(
    'tr',
    {},
    ...cells.map((cell, n) =>
      n === 0 ? h('th', { scope: 'row' }, cell) : h('td', { class: numeric(n) && 'number' }, cell)
    )
  );
}

export function head(
  names: string[],
  numeric: (column: number) => boolean = () => false
): HTMLTableSectionElement {
  const cells = names.map((name, n) => h('th', { scope: 'col', class: numeric(n) && 'number' }, name));
  return h('thead', {}, h('tr', {}, ...cells));
}

/** A canvas of `width` × `height` CSS pixels, sharp on this screen; the context draws in CSS pixels. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = Math.max(window.devicePixelRatio || 1, 1);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d', { willReadFrequently: true }); // drawn by the processor: a few strokes, no graphics card
  if (!context) throw new Error('This browser cannot draw: it gives no 2-D canvas.');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** However often it is asked for, `draw` runs once before the next picture on the screen. */
export function onceAFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
