/** The access token: masked, with its end in sight; it lives in this component and nowhere else. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import { asProblem, type ApiError } from '../shared/api';
import type { AccessToken } from '../shared/types';
import { Button, ProblemNotice, ProgressBar } from '../shared/components';
import { duration } from '../shared/format';

export function AccessPanel({ core, onActivity }: { core: Core; onActivity: () => void }): JSX.Element {
  const [token, setToken] = useState<AccessToken | null>(null);
  const [life, setLife] = useState(0); // seconds the token had when it came
  const [now, setNow] = useState(Date.now);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [note, setNote] = useState('');
  const left = token ? Math.max(0, (Date.parse(token.expires_at) - now) / 1000) : 0;
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  useEffect(() => {
    if (token && left === 0) {
      setToken(null);
      setNote('The token has expired.');
    }
  }, [token, left]);
  const refresh = async (): Promise<AccessToken | null> => {
    setProblem(null);
    setNote('');
    try {
      const fresh = await core.api.accessToken();
      setToken(fresh);
      setNow(Date.now());
      setLife((Date.parse(fresh.expires_at) - Date.now()) / 1000);
      return fresh;
    } catch (error) {
      setProblem(asProblem(error));
      return null;
    }
  };
  const copy = async (): Promise<void> => {
    const usable = token ?? (await refresh());
    if (usable) {
      await navigator.clipboard.writeText(usable.access_token);
      setNote('Copied. It works until it expires; keep it to yourself.');
    }
  };
  return (
    <div className="vx-Sidebar" data-testid="access-panel">
      <header className="vx-Sidebar-title">
        <h2>Access token</h2>
      </header>
      <p className="vx-Muted">
        A short-lived token in your name for other programs of this institution. In a notebook,{' '}
        <code>voxelhub.access_token()</code> gives a fresh one. Each issue is audited.
      </p>
      {problem && <ProblemNotice problem={problem} />}
      <div className="vx-Token">
        <code data-testid="token-masked">
          {token ? `••••••••••••${token.access_token.slice(-4)}` : 'none asked for'}
        </code>
        {token && (
          <>
            <ProgressBar
              value={life ? left / life : 0}
              label="Time left"
              state={left < 15 ? 'paused' : 'active'}
            />
            <small data-testid="token-expiry">expires in {duration(left)}</small>
          </>
        )}
        <div role="status">{note}</div>
      </div>
      <div className="vx-Buttons">
        <Button
          label={token ? 'Refresh' : 'Get a token'}
          icon="repeat"
          testId="token-refresh"
          onClick={() => void refresh()}
        />
        <Button label="Copy" icon="copy" kind="primary" testId="token-copy" onClick={() => void copy()} />
      </div>
      <header className="vx-Sidebar-title">
        <h2>Your activity</h2>
      </header>
      <p className="vx-Muted">What was recorded under your name, in plain words.</p>
      <div className="vx-Buttons">
        <Button label="Show it" icon="shield" testId="access-activity" onClick={onActivity} />
      </div>
    </div>
  );
}
