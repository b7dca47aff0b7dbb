// A slide as its grid of patches: the picture where there is one, and patches coloured by who holds them.
import { sized } from './dom';
import { shape } from './palette';
import type { Theme } from './theme';
import type { Slide } from './types';

const pictures = new Map<string, HTMLImageElement>();

/** The picture of a `data:` URL once it is decoded; until then null, and `ready` is called later. */
export function picture(url: string | null, ready: () => void): HTMLImageElement | null {
  if (!url?.startsWith('data:image/')) return null; // nothing is ever fetched
  const known = pictures.get(url);
  if (known) return known.complete && known.naturalWidth ? known : null;
  const image = new Image();
  pictures.set(url, image);
  image.onload = ready;
  image.src = url;
  return null;
}

export interface Paint {
  colour: string;
  /** Shape drawn into patches that are large enough to hold one. */
  mark: number;
}

export interface Drawing {
  slide: Slide;
  theme: Theme;
  image: HTMLImageElement | null;
  /** How a fragment is painted; null: not at all. */
  paint: (fragment: number) => Paint | null;
  /** Pales the picture where nothing is painted. */
  onlyPainted?: boolean;
  /** 0: only the picture; 1: only the colour. */
  cover: number;
}

/** Draws the slide into `canvas`, `width` CSS pixels wide at most; returns the side of a patch. */
export function drawSlide(
  canvas: HTMLCanvasElement,
  width: number,
  highest: number,
  drawing: Drawing
): number {
  const { slide, image, theme } = drawing;
  const side = Math.max(Math.min(width / slide.columns, highest / slide.rows), 0.1);
  const [across, down] = [side * slide.columns, side * slide.rows];
  const context = sized(canvas, across, down);
  context.fillStyle = theme.dark && !image ? '#2a2d33' : '#f1f1ee';
  context.fillRect(0, 0, across, down);
  context.globalAlpha = drawing.onlyPainted ? 0.16 : 1;
  if (image) context.drawImage(image, 0, 0, across, down);
  context.globalAlpha = 1;
  const gap = side > 5 ? 0.5 : 0;
  slide.cells.forEach(([x, y], n) => {
    const paint = drawing.paint(slide.labels[n] ?? 0);
    if (!paint) return;
    if (image && drawing.onlyPainted) drawPatch(context, image, slide, x, y, side);
    context.globalAlpha = image ? drawing.cover : 1;
    context.fillStyle = paint.colour;
    if (!image || drawing.cover > 0)
      context.fillRect(x * side + gap, y * side + gap, side - 2 * gap, side - 2 * gap);
    context.globalAlpha = 1;
    if (side >= 8 && drawing.cover > 0)
      drawGlyph(context, paint.mark, (x + 0.5) * side, (y + 0.5) * side, side * 0.2);
  });
  return side;
}

function drawPatch(
  context: CanvasRenderingContext2D,
  image: HTMLImageElement,
  slide: Slide,
  x: number,
  y: number,
  side: number
): void {
  const [width, height] = [image.naturalWidth / slide.columns, image.naturalHeight / slide.rows];
  context.drawImage(image, x * width, y * height, width, height, x * side, y * side, side, side);
}

function drawGlyph(
  context: CanvasRenderingContext2D,
  mark: number,
  x: number,
  y: number,
  size: number
): void {
  shape(context, mark, x, y, size);
  context.fillStyle = 'rgb(255 255 255 / 85%)';
  context.fill();
  context.strokeStyle = 'rgb(0 0 0 / 55%)';
  context.lineWidth = 0.8;
  context.stroke();
}
