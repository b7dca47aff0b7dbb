/** Three planes and a rendering of one volume, with an optional second one laid over it (NiiVue, loaded on demand). */
import type { Niivue, NVImage } from '@niivue/niivue';
import { useEffect, useRef, useState } from 'react';

import { asProblem, type ApiError } from '../shared/api';
import { Button, ProblemNotice, ProgressBar } from '../shared/components';
import { bytes } from '../shared/format';

export interface VolumeSource {
  name: string;
  /** Bytes of a NIfTI file, gzipped or not. */
  load: (onProgress: (received: number, total: number) => void) => Promise<ArrayBuffer>;
}

const BASE_MAPS = ['gray', 'bone', 'hot', 'viridis', 'plasma', 'inferno'];
const OVERLAY_MAPS = ['red', 'warm', 'cool', 'green', 'blue', 'actc', 'viridis'];
const LAYOUTS = {
  planes: 'Planes + 3D',
  axial: 'Axial',
  coronal: 'Coronal',
  sagittal: 'Sagittal',
  render: '3D'
} as const;
type Layout = keyof typeof LAYOUTS;

interface Loading {
  text: string;
  fraction: number | undefined;
}

/** The file name tells NiiVue how to read the bytes. */
function fileName(source: VolumeSource, buffer: ArrayBuffer): string {
  const gzip = new Uint8Array(buffer, 0, 2);
  return gzip[0] === 0x1f && gzip[1] === 0x8b ? `${source.name}.nii.gz` : `${source.name}.nii`;
}

interface Location {
  mm: ArrayLike<number>;
  values: { name: string; value: number }[];
}

/** Where the cross-hair is, in scanner millimetres (RAS), and the values there. */
function describePlace({ mm, values }: Location): string {
  const [x, y, z] = [mm[0] ?? 0, mm[1] ?? 0, mm[2] ?? 0].map(n => n.toFixed(1));
  const read = values.map(({ value }, index) => `${index ? 'overlay' : 'value'} ${Number(value.toFixed(3))}`);
  return [`x ${x}  y ${y}  z ${z} mm`, ...read].join('  ·  ');
}

/** Puts the cross-hair into the middle of what an overlay marks, so that it shows at once. */
function goToMarked(viewer: Niivue, overlay: NVImage): void {
  const voxels = overlay.img2RAS();
  const [, nx = 1, ny = 1, nz = 1] = overlay.dimsRAS ?? [];
  const sum = [0, 0, 0];
  let marked = 0;
  for (let i = 0; i < nx * ny * nz; i++) {
    if (voxels[i]) {
      sum[0]! += i % nx;
      sum[1]! += Math.floor(i / nx) % ny;
      sum[2]! += Math.floor(i / (nx * ny));
      marked += 1;
    }
  }
  if (marked > 0) {
    const middle = sum.map(n => Math.round(n / marked)) as [number, number, number];
    viewer.scene.crosshairPos = viewer.vox2frac(middle, viewer.volumes.indexOf(overlay));
    viewer.createOnLocationChange();
    viewer.updateGLVolume();
  }
}

/** Few distinct whole values from zero on: a mask or label map, shown without smoothing and with its zero clear. */
function looksLikeLabels(image: NVImage): boolean {
  const low = image.global_min ?? 0;
  const high = image.global_max ?? 0;
  return low === 0 && high > 0 && high <= 255 && Number.isInteger(high);
}

function useNiivue(sources: readonly VolumeSource[]) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [viewer, setViewer] = useState<Niivue | null>(null);
  const [loading, setLoading] = useState<Loading | null>({
    text: 'Opening the viewer …',
    fraction: undefined
  });
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [place, setPlace] = useState('');
  useEffect(() => {
    let gone = false;
    let made: Niivue | null = null;
    const open = async (): Promise<void> => {
      const { Niivue: Viewer, NVImage: Image, SLICE_TYPE, SHOW_RENDER } = await import('@niivue/niivue');
      if (gone || !canvas.current) {
        return;
      }
      made = new Viewer({
        dragAndDropEnabled: false,
        isResizeCanvas: true,
        show3Dcrosshair: true,
        backColor: [0, 0, 0, 1],
        crosshairColor: [0.2, 0.75, 1, 0.8],
        multiplanarShowRender: SHOW_RENDER.NEVER, // until all is loaded: each step would be drawn in 3D
        isColorbar: false,
        multiplanarLayout: 2 // a grid of two by two
      });
      made.onLocationChange = location => setPlace(describePlace(location as Location));
      await made.attachToCanvas(canvas.current, false);
      made.setSliceType(SLICE_TYPE.MULTIPLANAR);
      for (const [index, source] of sources.entries()) {
        const buffer = await source.load((received, total) =>
          setLoading({
            text: `Fetching ${source.name}: ${bytes(received)}${total ? ` of ${bytes(total)}` : ''}`,
            fraction: total ? received / total : undefined
          })
        );
        if (gone) {
          return;
        }
        setLoading({ text: `Drawing ${source.name} …`, fraction: undefined });
        const file = new File([buffer], fileName(source, buffer));
        const image = await Image.loadFromFile({
          file,
          name: file.name,
          colormap: index === 0 ? 'gray' : 'red',
          opacity: index === 0 ? 1 : 0.5
        });
        if (index > 0 && looksLikeLabels(image)) {
          image.cal_min = 0.5;
          image.cal_max = Math.max(1, image.global_max ?? 1);
        }
        made.addVolume(image);
        if (index > 0 && looksLikeLabels(image)) {
          goToMarked(made, image);
        }
      }
      made.opts.multiplanarShowRender = SHOW_RENDER.ALWAYS;
      made.drawScene();
      setLoading(null);
      setViewer(made);
    };
    open().catch(error => !gone && (setProblem(asProblem(error)), setLoading(null)));
    return () => {
      gone = true;
      setViewer(null);
      made?.cleanup();
      made?.gl?.getExtension('WEBGL_lose_context')?.loseContext();
    };
  }, [sources]);
  return { canvas, viewer, loading, problem, place };
}

function Range({
  label,
  value,
  min,
  max,
  step,
  onChange,
  testId
}: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  testId: string;
  onChange: (value: number) => void;
}): JSX.Element {
  return (
    <label className="vx-Range">
      <span>{label}</span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        data-testid={testId}
        onChange={e => onChange(Number(e.target.value))}
      />
      <output>{Math.abs(max - min) > 20 ? Math.round(value) : value.toFixed(2)}</output>
    </label>
  );
}

function Controls({ viewer, sources }: { viewer: Niivue; sources: readonly VolumeSource[] }): JSX.Element {
  const base = viewer.volumes[0]!;
  const overlay = viewer.volumes[1];
  const [low, high] = [base.global_min ?? 0, base.global_max ?? 1];
  const [range, setRange] = useState({ min: base.cal_min ?? low, max: base.cal_max ?? high });
  const [opacity, setOpacity] = useState(overlay?.opacity ?? 0.5);
  const [layout, setLayout] = useState<Layout>('planes');
  const [cross, setCross] = useState(true);
  const step = (high - low) / 500 || 0.001;
  const apply = (center: number, width: number): void => {
    const half = Math.max(step, width) / 2;
    setRange({ min: center - half, max: center + half });
    base.cal_min = center - half;
    base.cal_max = center + half;
    viewer.updateGLVolume();
  };
  const chooseLayout = (wanted: Layout): void => {
    setLayout(wanted);
    viewer.setSliceType({ axial: 0, coronal: 1, sagittal: 2, planes: 3, render: 4 }[wanted]);
  };
  const toggleCross = (): void => {
    viewer.opts.crosshairWidth = cross ? 0 : 1;
    viewer.opts.show3Dcrosshair = !cross;
    viewer.drawScene();
    setCross(!cross);
  };
  return (
    <div className="vx-Viewer-controls" role="toolbar" aria-label="Viewer">
      <select
        className="vx-Input"
        aria-label="Layout"
        data-testid="viewer-layout"
        value={layout}
        onChange={e => chooseLayout(e.target.value as Layout)}
      >
        {Object.entries(LAYOUTS).map(([id, title]) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
      <select
        className="vx-Input"
        aria-label="Colours of the image"
        defaultValue="gray"
        onChange={e => viewer.setColormap(base.id, e.target.value)}
      >
        {BASE_MAPS.map(map => (
          <option key={map}>{map}</option>
        ))}
      </select>
      <Range
        label="Level"
        testId="viewer-level"
        min={low}
        max={high}
        step={step}
        value={(range.min + range.max) / 2}
        onChange={level => apply(level, range.max - range.min)}
      />
      <Range
        label="Window"
        testId="viewer-window"
        min={step}
        max={high - low || 1}
        step={step}
        value={range.max - range.min}
        onChange={width => apply((range.min + range.max) / 2, width)}
      />
      <Button label="Cross-hair" kind="quiet" pressed={cross} onClick={toggleCross} />
      {overlay && (
        <span className="vx-Viewer-overlay" title={sources[1]?.name}>
          <select
            className="vx-Input"
            aria-label="Colours of the overlay"
            defaultValue="red"
            data-testid="overlay-colours"
            onChange={e => viewer.setColormap(overlay.id, e.target.value)}
          >
            {OVERLAY_MAPS.map(map => (
              <option key={map}>{map}</option>
            ))}
          </select>
          <Range
            label="Overlay"
            testId="overlay-opacity"
            min={0}
            max={1}
            step={0.05}
            value={opacity}
            onChange={value => {
              setOpacity(value);
              viewer.setOpacity(1, value);
            }}
          />
        </span>
      )}
    </div>
  );
}

export function VolumeView({ sources }: { sources: readonly VolumeSource[] }): JSX.Element {
  const { canvas, viewer, loading, problem, place } = useNiivue(sources);
  return (
    <div className="vx-Viewer" data-testid="volume-viewer" data-ready={viewer !== null}>
      {viewer && <Controls viewer={viewer} sources={sources} />}
      {problem && <ProblemNotice problem={problem} />}
      <div className="vx-Viewer-stage">
        <canvas
          ref={canvas}
          tabIndex={0}
          aria-label={`Three planes and a rendering of ${sources.map(s => s.name).join(', with ')}`}
        />
        {loading && (
          <div className="vx-Viewer-loading" role="status">
            {loading.text}
            <ProgressBar value={loading.fraction} label="Loading" />
          </div>
        )}
      </div>
      <div className="vx-Viewer-place" data-testid="viewer-place">
        {place ||
          (viewer &&
            'Click a plane to place the cross-hair; drag with the right button for brightness; scroll through slices.')}
      </div>
    </div>
  );
}
