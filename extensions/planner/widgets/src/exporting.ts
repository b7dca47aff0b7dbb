// The chosen plan as files and as code that rebuilds it.
import { detailsOf } from './plan';
import type { Plan, Study } from './types';

/** `voxelhub-plans/1` with this plan alone: the planner's own format. */
export function planJson(study: Study, plan: Plan): string {
  return `${JSON.stringify({ ...study.front, plans: [plan] }, null, 1)}\n`;
}

/** One row a fragment, after RFC 4180; a text that a spreadsheet would take for a formula is quoted by an apostrophe. */
export function planCsv(study: Study, plan: Plan): string {
  const rows = detailsOf(study, plan).rows.map(one => [
    one.slide.id,
    one.slide.title,
    one.fragment,
    one.patches,
    one.node.id,
    one.node.trust_domain,
    one.node.trusted,
    one.node.location,
    one.seconds,
    one.usd
  ]);
  const names = [
    'slide',
    'title',
    'fragment',
    'patches',
    'node',
    'trust_domain',
    'trusted',
    'location',
    'seconds',
    'usd'
  ];
  return [names, ...rows].map(cells => cells.map(csvCell).join(',')).join('\r\n') + '\r\n';
}

function csvCell(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Python source: nodes, work and assignment, judged again by the planner in exact arithmetic. */
export function planCell(study: Study, plan: Plan): string {
  const used = new Set(plan.assignment.flat());
  const nodes = study.nodes
    .filter(node => used.has(node.id))
    .map(node => {
      const fields: [string, unknown][] = [
        ['price_usd_per_hour', node.price_usd_per_hour],
        ['setup_s', node.setup_s],
        ['billing_s', node.billing_s],
        ['minimum_charge_usd', node.minimum_charge_usd ?? 0]
      ];
      const given = fields.filter(([, value]) => value !== 0).map(([name, value]) => `, ${name}=${value}`);
      const link = node.uplink_mbps === null ? '' : `, uplink_mbps=${node.uplink_mbps}`;
      return `    Node(${text(node.id)}, ${text(node.trust_domain)}, ${node.throughput_patches_per_s}${node.trusted ? ', trusted=True' : ''}${link}${given.join('')}),`;
    });
  const slides = study.slides.map(
    slide => `    Slide(${text(slide.id)}, (${slide.fragments.map(n => `${n},`).join(' ')})),`
  );
  const places = plan.assignment.map(
    row => `    (${row.map(id => `${id === null ? 'None' : text(id)},`).join(' ')}),`
  );
  const egress = study.front.limits['egress_mbps'];
  return [
    'from voxelhub_planner import Node, Slide, Workload',
    'from voxelhub_planner.exact import figures',
    '',
    `# Prices of ${study.prices.date}${study.prices.fictional ? ', invented' : ''}; split: ${study.split.strategy}, seed ${study.split.seed}.`,
    'nodes = [',
    ...nodes,
    ']',
    'work = Workload((',
    ...slides,
    `), kb_per_patch=${study.kb_per_patch})`,
    'assignment = (  # of each slide, the node of each fragment',
    ...places,
    ')',
    `judged = figures({node.id: node for node in nodes}, work, assignment${typeof egress === 'number' ? `, ${egress}` : ''})`,
    'judged.nodes, float(judged.cost_usd), float(judged.makespan_s)',
    `# ${plan.nodes} untrusted nodes, ${plan.cost_usd} USD, ${plan.makespan_s} s; proven bound ${plan.lower_bound_usd} USD`,
    ''
  ].join('\n');
}

/** A Python string literal: JSON's escapes are Python's, once lone surrogates are out of the way. */
function text(value: string): string {
  return JSON.stringify(value);
}
