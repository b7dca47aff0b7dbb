/** What a run that has ended offers: its history, itself as a notebook, its record for other programs, and how it compares. */
import { useState } from 'react';

import type { Core } from '../core';
import type { Run } from '../shared/types';
import { Button, Menu, type MenuItem } from '../shared/components';
import { count } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { CommandIds } from '../tokens';

const FEW = 3; // differences that are shown at once

function over(run: Run): boolean {
  return run.state === 'succeeded' || run.state === 'failed' || run.state === 'cancelled';
}

/** Of a run that repeats another: the same bytes, or what differs. */
export function Compared({ core, run }: { core: Core; run: Run }): JSX.Element | null {
  return run.rerun_of && over(run) ? <Found core={core} run={run} original={run.rerun_of} /> : null;
}

function Found({ core, run, original }: { core: Core; run: Run; original: string }): JSX.Element | null {
  const found = useLoaded(
    async () => ({
      ...(await core.api.comparison(run.id)),
      first: (await core.api.run(original)).label
    }),
    [run.id, original]
  );
  if (!found.value) {
    return null;
  }
  const { identical, differences, compared, first } = found.value;
  const shown = differences.slice(0, FEW);
  return (
    <div className="vx-Compared" data-testid="run-compared" data-identical={String(identical)}>
      {identical && (
        <span
          className="vx-Chip vx-mod-good"
          title={`${count(compared, 'output file')}, compared by SHA-256`}
        >
          Same bytes as {first}
        </span>
      )}
      {identical === false && <span className="vx-Chip vx-mod-wait">Other bytes than {first}</span>}
      {shown.length > 0 && (
        <ul className="vx-Bullets">
          {shown.map(({ sentence }) => (
            <li key={sentence}>{sentence}</li>
          ))}
          {differences.length > shown.length && (
            <li>{count(differences.length - shown.length, 'more difference')}</li>
          )}
        </ul>
      )}
    </div>
  );
}

/** Where the browser gets the run's record: of an open project a ZIP with log and small outputs, else the record alone. */
function crateUrl(core: Core, run: Run): string {
  return core.api.downloadUrl(`/runs/${run.id}/crate`, core.clinical(run.project) ? {} : { archive: true });
}

function save(href: string): void {
  const link = document.createElement('a');
  link.href = href;
  link.download = '';
  link.click();
}

/** `compact`: the less common ones in a menu. */
export function RunEvidence({
  core,
  run,
  compact = false
}: {
  core: Core;
  run: Run;
  compact?: boolean;
}): JSX.Element | null {
  const [menu, setMenu] = useState<{ x: number; y: number } | null>(null);
  if (!over(run)) {
    return null;
  }
  const items: MenuItem[] = [
    {
      label: 'Save crate',
      icon: 'download',
      onChoose: () => save(crateUrl(core, run))
    }
  ];
  if (run.kind === 'tool') {
    items.unshift({
      label: 'Open as notebook',
      icon: 'notebook',
      onChoose: () => core.execute(CommandIds.openRunNotebook, { run: run.id })
    });
  }
  return (
    <>
      {compact && (
        <Button
          label="History"
          icon="history"
          kind="quiet"
          title="Where its inputs come from, and what was made from its result"
          testId="run-history"
          onClick={() => core.execute(CommandIds.openLineage, { run: run.id })}
        />
      )}
      {compact ? (
        <Button
          label={`More of ${run.label}`}
          icon="more"
          iconOnly
          kind="quiet"
          testId="run-more"
          expanded={menu !== null}
          onClick={event => {
            const { left, bottom } = event.currentTarget.getBoundingClientRect();
            setMenu({ x: left, y: bottom + 4 });
          }}
        />
      ) : (
        items.map(({ label, icon, onChoose }) => (
          <Button key={label} label={label} icon={icon} onClick={onChoose} />
        ))
      )}
      {menu && <Menu {...menu} label={run.label} items={items} onClose={() => setMenu(null)} />}
    </>
  );
}
