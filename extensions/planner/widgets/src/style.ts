// The look. Colours come from JupyterLab where the page has them; a width of 320 px is enough for everything.
const CSS = `
:host {
  display: block;
  container-type: inline-size;
  color-scheme: light;
  --ink: var(--jp-ui-font-color1, #1f2328);
  --muted: var(--jp-ui-font-color2, #59636e);
  --ground: var(--jp-layout-color1, #ffffff);
  --below: var(--jp-layout-color2, #f5f6f8);
  --line: var(--jp-border-color2, #d8dde3);
  --accent: #0b63ad;
  --onaccent: #ffffff;
  --warn: #9a4b00;
  --warnground: rgb(230 159 0 / 14%);
  color: var(--ink);
  font: 14px/1.5 var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', sans-serif);
}
:host([data-theme='dark']) {
  color-scheme: dark;
  --ink: var(--jp-ui-font-color1, #e8eaed);
  --muted: var(--jp-ui-font-color2, #a8b0ba);
  --ground: var(--jp-layout-color1, #16181c);
  --below: var(--jp-layout-color2, #23262c);
  --line: var(--jp-border-color2, #3a3f47);
  --accent: #7cc0ff;
  --onaccent: #10202f;
  --warn: #f2b65c;
  --warnground: rgb(242 193 78 / 13%);
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.views { display: grid; gap: 14px; padding: 2px; min-width: 0; }
.main { display: grid; gap: 14px; min-width: 0; }
.card { border: 1px solid var(--line); border-radius: 10px; background: var(--ground); padding: 14px 16px; min-width: 0; }
h2, h3, h4, p, ul, dl, dd, figure { margin: 0; padding: 0; }
h2 { font-size: 20px; line-height: 1.25; font-weight: 650; overflow-wrap: anywhere; }
h3 { font-size: 15.5px; font-weight: 650; line-height: 1.3; }
h4 { font-size: 14px; font-weight: 650; overflow-wrap: anywhere; }
p + p { margin-top: 6px; }
.lead { color: var(--muted); margin: 4px 0 10px; max-width: 75ch; }
header .lead { margin-bottom: 0; }
.note, small, figcaption { color: var(--muted); font-size: 12.5px; line-height: 1.45; }
.warnings { list-style: none; margin-top: 10px; display: grid; gap: 2px; }
.warnings, .warn, .left.none { background: var(--warnground); border-left: 3px solid var(--warn); padding: 5px 10px; border-radius: 0 6px 6px 0; }
.cardhead { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; justify-content: space-between; }

button, select, input, textarea { font: inherit; color: inherit; }
button { border: 1px solid var(--line); background: var(--ground); border-radius: 6px; padding: 3px 10px; cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--accent); }
button:disabled { opacity: 0.5; cursor: default; }
button[aria-pressed='true'] { background: var(--accent); border-color: var(--accent); color: var(--onaccent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.switch { display: inline-flex; }
.switch button { border-radius: 0; margin-left: -1px; white-space: nowrap; }
.switch button:first-child { border-radius: 6px 0 0 6px; margin-left: 0; }
.switch button:last-child { border-radius: 0 6px 6px 0; }
.presets { display: flex; flex-wrap: wrap; gap: 6px; }
.chip { border-radius: 99px; padding: 3px 12px; text-align: left; }
select, input[type='number'], textarea { border: 1px solid var(--line); border-radius: 6px; background: var(--ground); padding: 3px 6px; }
select { max-width: 100%; }
textarea { width: 100%; margin-top: 10px; font: 12px/1.45 var(--jp-code-font-family, ui-monospace, monospace); }

.stage { position: relative; min-width: 0; overflow: hidden; }
canvas { display: block; max-width: 100%; }
.front canvas { touch-action: pan-y; cursor: crosshair; border-radius: 6px; }
.tip { position: absolute; z-index: 2; pointer-events: none; background: var(--ink); color: var(--ground); border-radius: 6px; padding: 5px 9px; font-size: 12.5px; line-height: 1.4; width: max-content; }
.legend { margin-top: 8px; display: grid; gap: 6px; }
.legend ul, .keys { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 13px; }
.legend li, .legend label { display: inline-flex; align-items: center; gap: 5px; }
.swatch { width: 15px; height: 15px; flex: none; }

.controls { display: grid; gap: 10px; align-content: start; }
.slider { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 1px 10px; align-items: center; }
.slider .name { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; }
.slider input[type='range'] { width: 100%; min-width: 0; margin: 0; accent-color: var(--muted); height: 22px; }
.slider.set input[type='range'] { accent-color: var(--accent); }
.field { display: inline-flex; align-items: center; gap: 5px; }
.field input { width: 92px; text-align: right; appearance: textfield; }
.field input::placeholder { color: var(--muted); opacity: 1; }
.field input::-webkit-inner-spin-button { appearance: none; }
.field .unit { width: 28px; color: var(--muted); font-size: 12.5px; }
.left { min-height: 24px; }
.glance { background: var(--below); border-radius: 8px; padding: 8px 12px; }
.glance:empty { display: none; }

.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 8px; margin: 10px 0 12px; }
.facts div { display: flex; flex-direction: column-reverse; justify-content: flex-end; background: var(--below); border-radius: 8px; padding: 8px 12px; }
.facts dd { font-size: 19px; font-weight: 650; line-height: 1.25; }
.facts dt { color: var(--muted); font-size: 12.5px; }
.peer { margin-top: 12px; border-top: 1px solid var(--line); padding-top: 10px; }
.peer table { margin: 6px 0; }
.beside .number { white-space: normal; }
.beside th:last-child, .beside td:last-child { padding-right: 0; }

.map { margin: 10px 0 6px; }
.map canvas { border-radius: 6px; margin: 0 auto; }
.chooser { margin-top: 8px; }
.keys { margin-top: 8px; }
.key { display: inline-flex; align-items: center; gap: 6px; text-align: left; padding: 2px 8px; }
.sights { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 14px; }
.sight { background: var(--below); border-radius: 8px; padding: 10px 12px; display: grid; gap: 6px; align-content: start; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; align-items: start; }
.figure { min-width: 0; }
.figure img { display: block; width: 100%; max-height: 210px; object-fit: contain; background: #ffffff; border-radius: 4px; }
.figure canvas { border-radius: 4px; }
.figure.empty { color: var(--muted); font-size: 12.5px; border: 1px dashed var(--line); border-radius: 6px; padding: 12px; }
figcaption { margin-top: 3px; }

@media (forced-colors: active) { .swatch { forced-color-adjust: none; } }
.scroll table { white-space: nowrap; }
.scroll { overflow: auto; max-height: 420px; margin-top: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; background: none; }
caption { text-align: left; color: var(--muted); padding-bottom: 4px; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
thead th { color: var(--muted); font-size: 12px; position: sticky; top: 0; background: var(--ground); }
tfoot th, tfoot td { font-weight: 650; border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; font-weight: 650; }
details > p { margin-top: 6px; }
.pages { margin-top: 8px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@container (min-width: 820px) {
  .main { grid-template-columns: minmax(0, 1.7fr) minmax(300px, 1fr); align-items: stretch; }
  .main.even { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
}
@container (max-width: 420px) {
  .card { padding: 10px; border-radius: 8px; }
  .pair { grid-template-columns: 1fr; }
  .facts { grid-template-columns: 1fr; gap: 4px; }
  .facts div { flex-direction: row-reverse; align-items: baseline; justify-content: flex-end; gap: 8px; }
}
@media (prefers-reduced-motion: no-preference) {
  button { transition: border-color 0.12s, background-color 0.12s; }
}
`;

let made: CSSStyleSheet | undefined;

/** One sheet for all views of a page; a constructed one, which a strict content policy allows. */
export function style(): CSSStyleSheet {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(CSS);
  }
  return made;
}
