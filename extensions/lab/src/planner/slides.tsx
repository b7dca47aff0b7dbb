/** Which slides are planned: those of the caller's projects that the tool takes, newest first. */
import { useEffect, useState } from 'react';

import type { Core } from '../core';
import type { Entry, ToolInput } from '../shared/types';
import { ProblemNotice } from '../shared/components';
import { CheckField } from '../shared/fields';
import { bytes, count, termTitle } from '../shared/format';
import { useLoaded, useSettled, type Loaded } from '../shared/hooks';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';

const FEW = 6; // slides that need no search

function projectTitle(core: Core, name: string): string {
  return core.me.get()?.projects.find(project => project.name === name)?.title || name;
}

/** The slides on offer, read again when data comes or goes. */
export function useSlides(core: Core, input: ToolInput | null): Loaded<Entry[]> & { search: Search } {
  const [words, setWords] = useState('');
  const settled = useSettled(words.trim(), 200);
  const found = useLoaded(
    async () => (input ? core.planner.offers(input, settled) : []),
    [core, input, settled]
  );
  useEffect(() => core.events.on('dataset', found.reload), [core, found.reload]);
  return { ...found, search: { words, setWords } };
}

interface Search {
  words: string;
  setWords: (words: string) => void;
}

export function SlidePicker({
  core,
  slides,
  maximum
}: {
  core: Core;
  slides: Loaded<Entry[]> & { search: Search };
  maximum: number;
}): JSX.Element {
  const chosen = useStore(core.planner.slides);
  const vocabulary = useStore(core.vocabulary);
  const ids = new Set(chosen.map(entry => entry.id));
  const found = slides.value ?? [];
  const hidden = chosen.filter(entry => !found.some(one => one.id === entry.id));
  const { words, setWords } = slides.search;
  const set = (entry: Entry, on: boolean): void =>
    core.planner.slides.update(now =>
      on ? [...now, entry].slice(0, maximum) : now.filter(one => one.id !== entry.id)
    );
  return (
    <fieldset className="vx-Choices vx-Planner-slides" data-testid="planner-slides">
      <legend>
        Slides{' '}
        <small role="status">{chosen.length > 0 ? `${chosen.length} chosen` : 'none chosen yet'}</small>
      </legend>
      {(found.length > FEW || words !== '') && (
        <label className="vx-Search">
          <Icon name="search" />
          <input
            type="search"
            className="vx-Input"
            aria-label="Search slides"
            placeholder="Search slides"
            value={words}
            data-testid="planner-search"
            onChange={e => setWords(e.target.value)}
          />
        </label>
      )}
      {slides.problem && !core.trouble.get() && (
        <ProblemNotice problem={slides.problem} onRetry={slides.reload} />
      )}
      <div className="vx-Planner-choices">
        {[...hidden, ...found].map(entry => (
          <CheckField
            key={entry.id}
            label={entry.name}
            hint={[
              termTitle(vocabulary, 'file_formats', entry.file_format),
              bytes(entry.size),
              projectTitle(core, entry.project),
              `v${entry.version}`
            ].join(' · ')}
            title={`${entry.dataset_title}, version ${entry.version}`}
            testId={`planner-slide-${entry.id}`}
            value={ids.has(entry.id)}
            onChange={on => set(entry, on)}
          />
        ))}
        {slides.value && found.length === 0 && words !== '' && <small>No slide has this in its name.</small>}
      </div>
      {chosen.length >= maximum && maximum > 1 && (
        <small>{count(maximum, 'slide')} are the most of one plan.</small>
      )}
    </fieldset>
  );
}
