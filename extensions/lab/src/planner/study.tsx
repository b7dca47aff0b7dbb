/** A plan on a page of its own: what it is, what may be done with it, and the planner's views of it. */
import type { Exported, Study, StudyHandle } from '@voxelhub/planner-views';
import { useEffect, useRef, useState } from 'react';

import type { Core } from '../core';
import { ApiError, asProblem } from '../shared/api';
import type { Entry } from '../shared/types';
import { Button, Notice, ProblemNotice, ProgressBar } from '../shared/components';
import { moment } from '../shared/format';
import { useLoaded } from '../shared/hooks';
import { PLAN } from './state';

const FORMAT = 'voxelhub-study/1';

export interface StudyActions {
  notebook: (entry: Entry, plan: number | null) => void;
  history: (entry: Entry) => void;
  /** Puts what is exported into the home: files of clinical projects do not leave as downloads. */
  keep: (exported: Exported) => void;
}

/** Of a text that is cut or no study, a sentence about what to do. */
function parsed(body: string, entry: Entry): Study {
  let found: unknown;
  try {
    found = JSON.parse(body);
  } catch {
    const cut = entry.data_type !== PLAN && body.length < entry.size;
    throw cut
      ? new ApiError(
          0,
          'cut',
          'This file is too long to be shown as a text.',
          'Give it the data type Plan (Edit type in the workspace), and it is shown whole.'
        )
      : new ApiError(0, 'not_json', `${entry.name} is not JSON.`, 'Look at it in a notebook.');
  }
  if ((found as Partial<Study> | null)?.format !== FORMAT) {
    throw new ApiError(
      0,
      'not_a_study',
      `${entry.name} is not a study of the planner.`,
      'Its data type can be changed in the workspace.'
    );
  }
  return found as Study;
}

function about(entry: Entry): string {
  const parts = [entry.execution, entry.project, moment(entry.created_at)];
  return parts.filter(Boolean).join(' · ');
}

function Views({
  study,
  clinical,
  onSelect,
  actions
}: {
  study: Study;
  clinical: boolean;
  onSelect: (plan: number) => void;
  actions: StudyActions;
}): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const [problem, setProblem] = useState<ApiError | null>(null);
  useEffect(() => {
    let handle: StudyHandle | null = null;
    let gone = false;
    const mount = async (): Promise<void> => {
      const { mountStudy } = await import('@voxelhub/planner-views');
      if (!gone && root.current) {
        handle = mountStudy(root.current, study, {
          onSelect,
          onExport: clinical ? actions.keep : undefined
        });
      }
    };
    void mount().catch((error: unknown) =>
      setProblem(error instanceof Error ? new ApiError(0, 'no_view', error.message) : asProblem(error))
    );
    return () => {
      gone = true;
      handle?.dispose();
    };
  }, [study, clinical]);
  return (
    <>
      {problem && <ProblemNotice problem={problem} />}
      <div ref={root} className="vx-Study-views" data-testid="study-views" />
    </>
  );
}

export function StudyPage({
  core,
  id,
  actions,
  onTitle
}: {
  core: Core;
  /** The entry that holds the study. */
  id: string;
  actions: StudyActions;
  onTitle: (title: string) => void;
}): JSX.Element {
  const chosen = useRef<number | null>(null);
  const loaded = useLoaded(async () => {
    const entry = await core.api.entry(id);
    const body = await (await core.api.fetch(`entries/${id}/content`)).text();
    return { entry, study: parsed(body, entry) };
  }, [id]);
  const entry = loaded.value?.entry;
  useEffect(() => {
    if (entry) {
      onTitle(entry.dataset_title);
    }
  }, [entry?.dataset_title]);
  return (
    <div className="vx-Study" data-testid="study-page" aria-busy={loaded.loading}>
      <header className="vx-Study-head">
        <div>
          <strong>{entry?.dataset_title ?? 'Plan'}</strong> {entry && <small>{about(entry)}</small>}
        </div>
        {entry && (
          <div className="vx-Buttons vx-mod-compact">
            <Button
              label="History"
              icon="history"
              kind="quiet"
              title="Which slides and prices it was made from"
              testId="study-history"
              onClick={() => actions.history(entry)}
            />
            <Button
              label="Open as notebook"
              icon="notebook"
              title="A notebook in your home that shows this plan"
              testId="study-notebook"
              onClick={() => actions.notebook(entry, chosen.current)}
            />
            <Button
              label="Send to these nodes"
              icon="play"
              disabled
              title="Running a plan comes in a later version"
              testId="study-send"
              onClick={() => undefined}
            />
          </div>
        )}
      </header>
      {entry && (
        <Notice kind="info">
          <strong>Nothing has been sent.</strong> Sending the work to these nodes comes in a later version;
          until then, export the plan and send the work yourself.
        </Notice>
      )}
      {loaded.problem && <ProblemNotice problem={loaded.problem} onRetry={loaded.reload} />}
      {!loaded.value && !loaded.problem && <ProgressBar label="Loading the plan" />}
      {loaded.value && (
        <Views
          study={loaded.value.study}
          clinical={core.clinical(loaded.value.entry.project)}
          actions={actions}
          onSelect={plan => {
            chosen.current = plan;
          }}
        />
      )}
    </div>
  );
}
