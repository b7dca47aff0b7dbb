/** What an administrator reads before deciding: the rights asked for, the scan, the manifest, and what changed. */
import type { SubmissionDetail } from '../shared/types';
import { Copyable, Notice } from '../shared/components';
import { bytes, count, duration } from '../shared/format';
import { ToolFindings } from './findings';

interface Put {
  title: string;
  accepts?: { data_type: string; file_format: string }[];
  data_type?: string | { like: string };
  file_format?: string;
}

interface ManifestFacts {
  description?: string;
  inputs?: Put[];
  outputs?: Put[];
  resources?: { cpu?: number; memory?: number; time?: number; gpu?: number };
  environment?: string;
  interface?: string;
  command?: string[];
  notebook?: string;
  licence?: string;
  citation?: string;
  arguments?: { properties?: Record<string, { title?: string }> };
}

function kinds({ accepts, data_type, file_format }: Put): string {
  if (accepts) {
    return accepts.map(one => `${one.data_type} as ${one.file_format}`).join(' or ');
  }
  return `${typeof data_type === 'object' ? `as ${data_type.like}` : data_type}, ${file_format}`;
}

function titles(puts: readonly Put[] | undefined): string {
  return (puts ?? []).map(put => `${put.title} (${kinds(put)})`).join('; ') || 'none';
}

function Facts({ detail }: { detail: SubmissionDetail }): JSX.Element {
  const facts = detail.manifest as ManifestFacts;
  const needs = facts.resources ?? {};
  const rows: [string, JSX.Element | string][] = [
    ['Takes', titles(facts.inputs)],
    ['Gives', titles(facts.outputs)],
    [
      'Settings',
      Object.entries(facts.arguments?.properties ?? {})
        .map(([name, one]) => one.title ?? name)
        .join(', ') || 'none'
    ],
    [
      'Needs',
      [
        `${needs.cpu ?? '?'} CPU`,
        `${bytes(needs.memory ?? 0)} memory`,
        `at most ${duration(needs.time ?? 0)}`,
        needs.gpu ? count(needs.gpu, 'GPU') : ''
      ]
        .filter(Boolean)
        .join(', ')
    ],
    ['Runs', <code key="runs">{facts.command?.join(' ') ?? facts.notebook ?? '?'}</code>],
    ['Environment', <code key="environment">{facts.environment ?? '?'}</code>],
    ['Licence', facts.licence || 'not said'],
    ['Cite as', facts.citation || 'not said'],
    ['Digest', <Copyable key="digest" text={detail.digest} label="digest" />]
  ];
  return (
    <dl className="vx-Facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const TONE: Record<string, string> = { '+': 'added', '-': 'removed', '@': 'place' };

function Diff({ text }: { text: string }): JSX.Element {
  return (
    <pre className="vx-Diff" tabIndex={0} aria-label="Changes of texts" data-testid="tool-diff">
      {text.split('\n').map((line, index) => (
        <span key={index} className={`vx-mod-${TONE[line[0] ?? ''] ?? 'same'}`}>
          {line}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

export function ReviewDetail({ detail }: { detail: SubmissionDetail }): JSX.Element {
  const changed = detail.files.filter(file => file.change !== 'unchanged');
  return (
    <div className="vx-Review" data-testid="tool-review">
      {detail.note && <q className="vx-Quote">{detail.note}</q>}
      <p>{(detail.manifest as ManifestFacts).description}</p>
      {detail.rights.length > 0 ? (
        <Notice kind="warning" icon="shield">
          <strong>It asks for more than usual</strong>
          <ul className="vx-Bullets">
            {detail.rights.map(right => (
              <li key={right}>{right}</li>
            ))}
          </ul>
        </Notice>
      ) : (
        <Notice kind="info" icon="shield">
          It asks for nothing beyond its inputs and its own output folder: no network, no account, no GPU.
        </Notice>
      )}
      <h3>What the scan said</h3>
      {detail.findings.length ? (
        <ToolFindings findings={detail.findings} />
      ) : (
        <p className="vx-Muted">Nothing to say.</p>
      )}
      <h3>Manifest</h3>
      <Facts detail={detail} />
      <h3>
        {detail.before
          ? `What changed since ${detail.before}`
          : 'Its files (no earlier version was approved)'}
      </h3>
      <ul className="vx-Changed">
        {changed.map(file => (
          <li key={file.path} className={`vx-mod-${file.change}`}>
            <code>{file.path}</code>
            <small>
              {file.change}, {bytes(file.size)}
            </small>
          </li>
        ))}
        {changed.length === 0 && <li className="vx-Muted">No file changed.</li>}
      </ul>
      {detail.diff && <Diff text={detail.diff} />}
    </div>
  );
}
