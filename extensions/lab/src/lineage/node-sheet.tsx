/** The side sheet of a history: what is known of the chosen step. */
import type { Core } from '../core';
import type { LineageNode } from '../shared/types';
import { Button, Copyable } from '../shared/components';
import { moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { CommandIds } from '../tokens';
import { Compared, RunEvidence } from './evidence';
import { kindOf, toneOf } from './words';

export interface Actions {
  showEntry: (id: string) => void;
  viewEntry: (id: string) => void;
  history: (subject: { entry?: string; run?: string }) => void;
}

function RunPart({ core, id }: { core: Core; id: string }): JSX.Element | null {
  const run = useLoaded(() => core.api.run(id), [id]);
  const again = (): void =>
    void core.api.repeatRun(id, crypto.randomUUID()).then(
      () => core.execute(CommandIds.openTools),
      error => core.report(error)
    );
  if (!run.value) {
    return null;
  }
  const arguments_ = Object.entries(run.value.arguments);
  return (
    <>
      {run.value.reason && <p className="vx-Reason">{run.value.reason}</p>}
      {arguments_.length > 0 && (
        <section>
          <h3>Arguments</h3>
          <dl className="vx-Facts">
            {arguments_.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{typeof value === 'string' ? value || '(empty)' : JSON.stringify(value)}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      <Compared core={core} run={run.value} />
      <div className="vx-Buttons">
        {run.value.kind === 'tool' && run.value.ended_at && (
          <Button label="Run again" icon="repeat" testId="lineage-again" onClick={again} />
        )}
        <RunEvidence core={core} run={run.value} />
      </div>
    </>
  );
}

export function NodeSheet({
  core,
  node,
  subject,
  actions
}: {
  core: Core;
  node: LineageNode;
  subject: boolean;
  actions: Actions;
}): JSX.Element {
  const { id, report = [] } = node;
  const facts: [string, string][] = [
    ['Project', node.project ?? ''],
    [node.kind === 'run' ? 'By' : 'Made by', node.by ?? ''],
    ['Date', node.at ? moment(node.at) : '']
  ];
  return (
    <aside className="vx-Sheet" aria-label={`About ${node.title}`} data-testid="lineage-sheet">
      <header>
        <div>
          <small className="vx-Muted">{kindOf(node)}</small>
          <h2>{node.title}</h2>
        </div>
        {toneOf(node) && <span className={`vx-Chip vx-mod-${toneOf(node)}`}>{node.state}</span>}
      </header>
      {node.detail && <p>{node.detail}</p>}
      {node.kind === 'hidden' && (
        <p className="vx-Muted">
          Something here lies in a project that you are not a member of. What it is, and how much, is not
          told.
        </p>
      )}
      {node.kind === 'entry' && id && (
        <div className="vx-Buttons">
          <Button label="Show in workspace" icon="workspace" onClick={() => actions.showEntry(id)} />
          <Button label="View" icon="eye" kind="quiet" onClick={() => actions.viewEntry(id)} />
        </div>
      )}
      {report.length > 0 && (
        <section>
          <h3>What the door did</h3>
          <ul className="vx-Bullets" data-testid="lineage-report">
            {report.map(sentence => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <dl className="vx-Facts">
          {facts
            .filter(([, value]) => value)
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
        </dl>
      </section>
      {node.digest && (
        <section>
          <h3>{node.kind === 'run' ? 'Digest of the tool' : 'Digest of its version'}</h3>
          <Copyable text={node.digest} label="digest" />
        </section>
      )}
      {node.kind === 'run' && id && <RunPart core={core} id={id} />}
      {!subject && id && (
        <Button
          label="History of this"
          icon="history"
          kind="quiet"
          testId="lineage-follow"
          onClick={() => actions.history(node.kind === 'run' ? { run: id } : { entry: id })}
        />
      )}
    </aside>
  );
}
