/** A run's log, growing while it runs: each hint asks for what came after the last offset. */
import { useEffect, useRef, useState } from 'react';

import type { Core } from '../core';
import { asProblem, type ApiError } from '../shared/api';
import { ProblemNotice } from '../shared/components';

const POLL = 2000; // ms, beside the hints
const KEPT = 400_000; // characters

export function RunLog({ core, run }: { core: Core; run: string }): JSX.Element {
  const [text, setText] = useState('');
  const [end, setEnd] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    let offset = 0;
    let busy = false;
    let gone = false;
    const read = async (): Promise<void> => {
      if (busy || gone) {
        return;
      }
      busy = true;
      try {
        for (let more = true; more && !gone;) {
          const chunk = await core.api.runLog(run, offset);
          more = chunk.offset > offset;
          offset = chunk.offset;
          if (chunk.text) {
            setText(before => (before + chunk.text).slice(-KEPT));
          }
          if (chunk.end && !more) {
            setEnd(true);
            window.clearInterval(timer);
          }
        }
        setProblem(null);
      } catch (error) {
        setProblem(asProblem(error));
      }
      busy = false;
    };
    const timer = window.setInterval(() => void read(), POLL);
    const off = core.events.on('run', hint => (hint.subject === run || hint.subject === '') && void read());
    void read();
    return () => {
      gone = true;
      off();
      window.clearInterval(timer);
    };
  }, [core, run]);
  useEffect(() => {
    const pre = box.current;
    if (pre && pre.scrollHeight - pre.scrollTop - pre.clientHeight < 80) {
      pre.scrollTop = pre.scrollHeight;
    }
  }, [text]);
  return (
    <>
      {problem && <ProblemNotice problem={problem} />}
      <pre
        ref={box}
        className="vx-Log"
        role="log"
        aria-label="Log"
        tabIndex={0}
        data-testid="run-log"
        data-end={end}
      >
        {text || (end ? 'The log is empty.' : 'Waiting for output …')}
      </pre>
    </>
  );
}
