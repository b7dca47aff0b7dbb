/** Asks the service how to look at entries, and shows them so. */
import { useMemo } from 'react';

import type { Core } from '../core';
import { ApiError } from '../shared/api';
import type { Entry, View } from '../shared/types';
import { Empty, ProblemNotice, ProgressBar } from '../shared/components';
import { useLoaded } from '../shared/hooks';
import { readAll } from './fetch';
import { ImageView, PageView, TableView, TextView } from './plain';
import { VolumeView, type VolumeSource } from './volume';

const MASKS = /mask|segment|label|contour/i;

/** Image first, mask on top: a mask that was chosen first changes places. */
export function layered(entries: readonly Entry[]): Entry[] {
  const [first, second] = entries;
  const swap =
    first &&
    second &&
    MASKS.test(`${first.data_type} ${first.name}`) &&
    !MASKS.test(`${second.data_type} ${second.name}`);
  return swap ? [second, first] : entries.slice(0, 2);
}

function Plain({ core, view, format }: { core: Core; view: View; format: string }): JSX.Element {
  const content = useLoaded(
    async () => (await core.api.fetch(view.content_path ?? '')).blob(),
    [view.content_path]
  );
  if (content.problem) {
    return <ProblemNotice problem={content.problem} onRetry={content.reload} />;
  }
  if (!content.value) {
    return <ProgressBar label={`Loading ${view.name}`} />;
  }
  const parts = { blob: content.value, name: view.name };
  if (view.kind === 'image') {
    return <ImageView {...parts} />;
  }
  if (view.kind === 'text' && format === 'html') {
    return <PageView {...parts} />;
  }
  return view.kind === 'table' ? <TableView {...parts} /> : <TextView {...parts} />;
}

function Volumes({ core, views }: { core: Core; views: readonly View[] }): JSX.Element {
  const sources = useMemo<VolumeSource[]>(
    () =>
      views.map(view => ({
        name: view.name,
        load: async onProgress => readAll(await core.api.fetch(view.content_path ?? ''), onProgress)
      })),
    [core, views]
  );
  return <VolumeView sources={sources} />;
}

export function EntryViewer({ core, entries }: { core: Core; entries: readonly Entry[] }): JSX.Element {
  const views = useLoaded(async () => {
    const answers = await Promise.all(entries.map(entry => core.api.view(entry.id)));
    const blocked = answers.find(view => view.kind === 'none');
    if (blocked) {
      throw new ApiError(0, 'no_view', blocked.reason || 'There is no viewer for this format.');
    }
    return answers;
  }, [entries]);
  if (views.problem) {
    return (
      <Empty icon="eye" title={views.problem.message}>
        {views.problem.fix}
      </Empty>
    );
  }
  const first = views.value?.[0];
  if (!views.value || !first) {
    return <ProgressBar label="Loading" />;
  }
  return first.kind === 'volume' ? (
    <Volumes core={core} views={views.value} />
  ) : (
    <Plain core={core} view={first} format={entries[0]?.file_format ?? ''} />
  );
}
