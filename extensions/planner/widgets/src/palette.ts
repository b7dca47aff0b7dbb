// Colours that people with any colour vision tell apart (Okabe and Ito, 2008; viridis for what has an order), each with a shape.

export const CATEGORY = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
  '#b8a900',
  '#7f5fc7',
  '#8c6d5a',
  '#5f7f8f'
];
export const TRUSTED = '#8a8f98';

export function categoryColour(n: number): string {
  return CATEGORY[n % CATEGORY.length]!;
}

const VIRIDIS: [number, number, number][] = [
  [68, 1, 84],
  [65, 68, 135],
  [42, 120, 142],
  [34, 168, 132],
  [122, 209, 81],
  [253, 231, 37]
];

/** The place in an order, 0 to 1, as a colour that stands out from a light or a dark ground. */
export function orderColour(place: number, dark: boolean): string {
  const along = (dark ? 0.3 + place * 0.7 : place * 0.82) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(along), VIRIDIS.length - 2);
  const [from, to] = [VIRIDIS[low]!, VIRIDIS[low + 1]!];
  const mix = from.map((value, n) => Math.round(value + (to[n]! - value) * (along - low)));
  return `rgb(${mix.join(' ')})`;
}

const SIDES: [sides: number, turn: number, scale: number][] = [
  [0, 0, 1],
  [3, -90, 1.3],
  [4, 45, 1.2],
  [4, 0, 1.25],
  [3, 90, 1.3],
  [5, -90, 1.2],
  [6, 0, 1.15],
  [-5, -90, 1.35],
  [-4, 0, 1.4],
  [-6, 0, 1.3]
];

/** Adds the nth shape around a point to the path: circle, triangle, square, diamond, …, stars. `size`: about its radius. */
export function trace(
  context: CanvasRenderingContext2D,
  n: number,
  x: number,
  y: number,
  size: number
): void {
  const [sides, turn, scale] = SIDES[n % SIDES.length]!;
  const radius = size * scale;
  if (!sides) {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, Math.PI * 2);
    return;
  }
  const corners = sides > 0 ? sides : -2 * sides;
  for (let corner = 0; corner < corners; corner++) {
    const angle = ((turn + (360 / corners) * corner) * Math.PI) / 180;
    const reach = sides < 0 && corner % 2 ? radius * 0.5 : radius;
    const [right, down] = [x + Math.cos(angle) * reach, y + Math.sin(angle) * reach];
    if (corner) context.lineTo(right, down);
    else context.moveTo(right, down);
  }
  context.closePath();
}

/** The shape as a path of its own. */
export function shape(
  context: CanvasRenderingContext2D,
  n: number,
  x: number,
  y: number,
  size: number
): void {
  context.beginPath();
  trace(context, n, x, y, size);
}

/** The shape as a small picture for a legend. */
export function swatch(n: number, colour: string, hollow = false): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '-10 -10 20 20');
  svg.setAttribute('class', 'swatch');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', outline(n));
  path.setAttribute('fill', hollow ? 'none' : colour);
  path.setAttribute('stroke', hollow ? colour : 'none');
  path.setAttribute('stroke-width', '2.2');
  svg.append(path);
  return svg;
}

function outline(n: number): string {
  const parts: string[] = [];
  const at = (x: number, y: number): string => `${x.toFixed(2)} ${y.toFixed(2)}`;
  const pen = {
    moveTo: (x: number, y: number) => parts.push(`M${at(x, y)}`),
    lineTo: (x: number, y: number) => parts.push(`L${at(x, y)}`),
    arc: (_x: number, _y: number, r: number) =>
      parts.push(`a${r} ${r} 0 1 0 ${-2 * r} 0a${r} ${r} 0 1 0 ${2 * r} 0Z`),
    closePath: () => parts.push('Z')
  };
  trace(pen as unknown as CanvasRenderingContext2D, n, 0, 0, 6.6);
  return parts.join('');
}
