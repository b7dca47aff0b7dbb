/** What must be said aloud on every panel. */
import type { Core } from '../core';
import { Notice, ProblemNotice } from './components';
import { useStore } from './store';

export function Banners({ core }: { core: Core }): JSX.Element {
  const server = useStore(core.server);
  const trouble = useStore(core.trouble);
  return (
    <>
      {trouble && <ProblemNotice problem={trouble} onRetry={() => void core.refresh()} />}
      {server && !server.isolation && (
        <Notice kind="warning">
          <strong>Isolation is off.</strong> Notebooks and tools on this machine are not shut off from each
          other: use it alone, and not with patients’ data.
        </Notice>
      )}
    </>
  );
}
