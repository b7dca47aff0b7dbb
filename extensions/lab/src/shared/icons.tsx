/** Our own icons: 16 by 16, one stroke width, in the colour of the text around them. */
import { LabIcon } from '@jupyterlab/ui-components';

const PATHS = {
  datasets:
    '<ellipse cx="8" cy="3.6" rx="5.5" ry="2.1"/><path d="M2.5 3.6v8.8c0 1.2 2.5 2.1 5.5 2.1s5.5-.9 5.5-2.1V3.6M2.5 8c0 1.2 2.5 2.1 5.5 2.1s5.5-.9 5.5-2.1"/>',
  workspace:
    '<rect x="1.8" y="2.5" width="12.4" height="11" rx="1.2"/><path d="M1.8 6.2h12.4M1.8 9.9h12.4M6.2 6.2v7.3"/>',
  tools:
    '<path d="M9.9 6.1a3.4 3.4 0 0 1-4.5 4.1l-2.6 3.1a1.2 1.2 0 0 1-1.8-1.7L4 8.8a3.4 3.4 0 0 1 4.3-4.9L6.4 5.8l.5 1.6 1.6.5z" transform="translate(2.4 -.6)"/>',
  planner:
    '<path d="M1.8 5h5v6h-5zM1.8 8h5M4.3 5v6M6.8 8h5.2M8.6 8V3.2H12M8.6 8v4.8H12"/><circle cx="13.2" cy="3.2" r="1.2"/><circle cx="13.2" cy="8" r="1.2"/><circle cx="13.2" cy="12.8" r="1.2"/>',
  clusters:
    '<circle cx="8" cy="3.4" r="1.9"/><circle cx="3" cy="12.2" r="1.7"/><circle cx="8" cy="12.2" r="1.7"/><circle cx="13" cy="12.2" r="1.7"/><path d="M8 5.3v5.2M7 5.1 3.8 10.6M9 5.1l3.2 5.5"/>',
  spend:
    '<ellipse cx="6.2" cy="4.2" rx="4.2" ry="1.9"/><path d="M2 4.2v3.4c0 1 1.9 1.9 4.2 1.9M2 7.6V11c0 1 1.9 1.9 4.2 1.9M10.4 4.2v1.6"/><ellipse cx="10.4" cy="8.4" rx="3.8" ry="1.8"/><path d="M6.6 8.4v3.6c0 1 1.7 1.8 3.8 1.8s3.8-.8 3.8-1.8V8.4"/>',
  pin: '<path d="M6 2h4l-.5 4.2 2.7 2.6H3.8l2.7-2.6zM8 8.8V14"/>',
  cell: '<path d="m3 4.5 3 3.5-3 3.5M8 12h5.2"/>',
  resize: '<path d="M2 8h12M5 4.8 1.8 8 5 11.2M11 4.8 14.2 8 11 11.2"/>',
  gauge: '<path d="M2 12.2a6.2 6.2 0 1 1 12 0M8 12l3-4.6"/><circle cx="8" cy="12" r=".9"/>',
  key: '<circle cx="5" cy="11" r="3.2"/><path d="m7.3 8.7 6-6M10.6 5.4l2.2 2.2M12.4 3.6l1.4 1.4"/>',
  upload: '<path d="M8 10.5V2.8M4.9 5.7 8 2.6l3.1 3.1M2.5 10.5v2.2c0 .5.4.8.8.8h9.4c.4 0 .8-.3.8-.8v-2.2"/>',
  folder: '<path d="M1.8 12.5v-9h4.4l1.5 1.8h6.5v7.2a.8.8 0 0 1-.8.8H2.6a.8.8 0 0 1-.8-.8z"/>',
  text: '<path d="M3.5 1.8h6l3 3v9.4h-9zM9.3 1.8v3.2h3.2M5.6 8h4.8M5.6 10.8h4.8"/>',
  eye: '<path d="M1.3 8S3.7 3.6 8 3.6 14.7 8 14.7 8 12.3 12.4 8 12.4 1.3 8 1.3 8z"/><circle cx="8" cy="8" r="2"/>',
  trash: '<path d="M2.5 4h11M6 4V2.3h4V4M3.8 4l.6 9.7h7.2l.6-9.7M6.7 6.8v4.2M9.3 6.8v4.2"/>',
  pencil: '<path d="m2.5 13.5.6-3L10.8 2.8l2.4 2.4-7.7 7.7zM9.2 4.4l2.4 2.4"/>',
  tag: '<path d="M2 2.2h5.4l6.4 6.4-5.2 5.2L2 7.4z"/><circle cx="5" cy="5.2" r=".8"/>',
  info: '<circle cx="8" cy="8" r="6.2"/><path d="M8 7.2v4M8 4.8v.2"/>',
  play: '<path d="M4.2 2.6 13 8l-8.8 5.4z"/>',
  stop: '<rect x="3.5" y="3.5" width="9" height="9" rx="1"/>',
  pause: '<path d="M5.2 3v10M10.8 3v10"/>',
  repeat: '<path d="M13.2 8a5.2 5.2 0 1 1-1.6-3.8M13.4 1.9v2.9h-2.9"/>',
  copy: '<rect x="5.2" y="5.2" width="8.5" height="8.5" rx="1"/><path d="M3.4 10.8h-.3a.8.8 0 0 1-.8-.8V3.1c0-.4.4-.8.8-.8H10c.4 0 .8.4.8.8v.3"/>',
  download:
    '<path d="M8 2.5v7.7M4.9 7.3 8 10.4l3.1-3.1M2.5 10.5v2.2c0 .5.4.8.8.8h9.4c.4 0 .8-.3.8-.8v-2.2"/>',
  close: '<path d="m3.8 3.8 8.4 8.4M12.2 3.8l-8.4 8.4"/>',
  more: '<circle cx="3.2" cy="8" r=".7"/><circle cx="8" cy="8" r=".7"/><circle cx="12.8" cy="8" r=".7"/>',
  check: '<path d="m2.8 8.4 3.4 3.4 7-7.6"/>',
  warning: '<path d="M8 2 14.8 13.6H1.2zM8 6.6v3.2M8 11.6v.2"/>',
  up: '<path d="M8 13V3.4M4.2 7 8 3.2 11.8 7"/>',
  down: '<path d="M8 3v9.6M4.2 9 8 12.8 11.8 9"/>',
  search: '<circle cx="6.8" cy="6.8" r="4.3"/><path d="m10 10 4 4"/>',
  restore: '<path d="M2.8 8a5.2 5.2 0 1 0 1.6-3.8M2.6 1.9v2.9h2.9"/>',
  shield:
    '<path d="M8 1.8 13.4 3.9v3.7c0 3.3-2.2 5.6-5.4 6.7-3.2-1.1-5.4-3.4-5.4-6.7V3.9zM5.6 8l1.8 1.8 3.1-3.4"/>',
  link: '<path d="M6.7 9.3a2.7 2.7 0 0 0 3.8 0l2.4-2.4a2.7 2.7 0 0 0-3.8-3.8L8 4.2M9.3 6.7a2.7 2.7 0 0 0-3.8 0L3.1 9.1a2.7 2.7 0 0 0 3.8 3.8L8 11.8"/>',
  chart: '<path d="M2.5 13.5h11M4.2 13.2V8.4h2.2v4.8M7.6 13.2V3h2.2v10.2M11 13.2V6.2h2.2v7"/>',
  next: '<path d="M2.5 3.2 8 8l-5.5 4.8zM8.5 3.2 14 8l-5.5 4.8z"/>',
  history:
    '<circle cx="3.2" cy="3.6" r="1.7"/><circle cx="3.2" cy="12.4" r="1.7"/><circle cx="12.8" cy="8" r="1.7"/><path d="M4.9 3.6h1.7c1.6 0 2.2 4.4 4.5 4.4M4.9 12.4h1.7c1.6 0 2.2-4.4 4.5-4.4"/>',
  notebook:
    '<rect x="3.4" y="1.8" width="10" height="12.4" rx="1.2"/><path d="M6.2 1.8v12.4M1.9 4.6h2.6M1.9 8h2.6M1.9 11.4h2.6M8.6 5.2h2.6"/>',
  back: '<path d="M10 3.5 5.5 8l4.5 4.5"/>',
  chevron: '<path d="m6 3.5 4.5 4.5L6 12.5"/>'
} as const;

export type IconName = keyof typeof PATHS;

function svg(name: IconName): string {
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="16" height="16" fill="none" ' +
    `stroke="currentColor" stroke-width="1.3" stroke-linecap="round" stroke-linejoin="round">${PATHS[name]}</svg>`
  );
}

/** An icon for Lab's own places: sidebars, launcher, tabs. Where Lab draws it by React it drops a style of the svg itself. */
export function labIcon(name: IconName): LabIcon {
  return new LabIcon({
    name: `voxelhub:${name}`,
    svgstr: svg(name).replace(
      PATHS[name],
      `<g style="fill: none; stroke: var(--jp-ui-font-color2)">${PATHS[name]}</g>`
    )
  });
}

/** Decorative: whatever holds it carries the name. */
export function Icon({ name }: { name: IconName }): JSX.Element {
  return <span className="vx-Icon" aria-hidden="true" dangerouslySetInnerHTML={{ __html: svg(name) }} />;
}
