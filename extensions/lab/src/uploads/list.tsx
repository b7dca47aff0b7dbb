/** Transfers under way, and uploads that may be continued. */
import { useRef } from 'react';

import type { Core, Wanted } from '../core';
import { ApiError } from '../shared/api';
import type { Upload } from '../shared/types';
import { Button, ProgressBar } from '../shared/components';
import { bytes, count, duration } from '../shared/format';
import { useStore } from '../shared/store';
import { fromChooser } from './collect';
import { UploadJob } from './job';
import type { TransferView } from './transfer';

function describe(job: TransferView, clinical: boolean): string {
  switch (job.state) {
    case 'checking':
      return `Reading ${count(job.files, 'file')} …`;
    case 'sending': {
      if (job.waiting) {
        return 'Waiting for the connection; it goes on by itself.';
      }
      const left = job.speed > 0 ? `, ${duration((job.size - job.sent) / job.speed)} left` : '';
      return `${bytes(job.sent)} of ${bytes(job.size)}, ${bytes(job.speed)}/s${left}`;
    }
    case 'paused':
      return `Paused at ${bytes(job.sent)} of ${bytes(job.size)}`;
    case 'importing':
      return job.run?.progress_text || (clinical ? 'At the clinical door …' : 'Looking at the content …');
    case 'done':
      return outcome(job, clinical);
    case 'cancelled':
      return 'Cancelled';
    case 'failed':
      return job.problem
        ? `${job.problem.message} ${job.problem.fix}`
        : job.run?.reason || 'The import failed.';
  }
}

/** What came of it. Where nobody counted the files (an archive, a URL), only what is held is counted. */
function outcome(job: TransferView, clinical: boolean): string {
  const held = job.held ? `${count(job.held, 'file')} in quarantine` : '';
  if (job.run && !job.run.output_version) {
    return held ? `Nothing was released: ${held}.` : job.run.reason || 'Nothing came of it.';
  }
  if (!job.counted) {
    return held ? `In the workspace, but ${held}.` : 'In the workspace';
  }
  const released = job.files - job.held;
  if (clinical || held) {
    return [`${count(released, 'file')} released`, held].filter(Boolean).join(', ');
  }
  return `In the workspace: ${count(job.files, 'file')}, ${bytes(job.size)}`;
}

const BAR = {
  checking: 'active',
  sending: 'active',
  paused: 'paused',
  importing: 'active',
  done: 'done',
  failed: 'failed',
  cancelled: 'failed'
} as const;

function fraction(job: TransferView): number | undefined {
  switch (job.state) {
    case 'checking':
      return job.size ? job.read / job.size : undefined;
    case 'importing':
      return job.run?.progress || undefined;
    case 'done':
      return 1;
    case 'sending':
    case 'paused':
    case 'failed':
    case 'cancelled':
      return job.size ? job.sent / job.size : 0;
  }
}

function JobRow({
  core,
  job,
  onShow
}: {
  core: Core;
  job: TransferView;
  onShow: (wanted: Wanted) => void;
}): JSX.Element {
  useStore(core.me);
  const live = core.uploads.job(job.key);
  const sender = live instanceof UploadJob ? live : null;
  const over = job.state === 'done' || job.state === 'failed' || job.state === 'cancelled';
  const run = job.run;
  const cancel = (): void => void live?.cancel().catch(e => core.report(e));
  return (
    <li className={`vx-Job vx-mod-${job.state}`} data-testid="upload-job" data-state={job.state}>
      <div className="vx-Job-head">
        <strong title={job.title}>{job.title}</strong>
        {job.state === 'sending' && (
          <Button
            label={`Pause ${job.title}`}
            icon="pause"
            iconOnly
            kind="quiet"
            onClick={() => sender?.pause()}
          />
        )}
        {sender && (job.state === 'paused' || (job.state === 'failed' && job.uploadId && !run)) && (
          <Button
            label={`Continue ${job.title}`}
            icon="play"
            iconOnly
            kind="quiet"
            onClick={() => void sender.start()}
          />
        )}
        {!over && (job.state !== 'importing' || run?.cancellable) && (
          <Button label={`Cancel ${job.title}`} icon="close" iconOnly kind="quiet" onClick={cancel} />
        )}
        {over && (
          <Button
            label={`Remove ${job.title} from this list`}
            icon="close"
            iconOnly
            kind="quiet"
            onClick={() => core.uploads.forget(job.key)}
          />
        )}
      </div>
      <ProgressBar value={fraction(job)} label={`Import of ${job.title}`} state={BAR[job.state]} />
      <div className="vx-Job-text" role={job.state === 'failed' ? 'alert' : undefined}>
        {describe(job, core.clinical(job.project))}
      </div>
      {run && job.state === 'done' && job.held > 0 && (
        <Button
          label="Look at the quarantine"
          icon="shield"
          kind="plain"
          testId="upload-held"
          onClick={() =>
            onShow({ page: 'quarantine', project: job.project, run: { id: run.id, label: run.label } })
          }
        />
      )}
    </li>
  );
}

function InterruptedRow({ core, upload }: { core: Core; upload: Upload }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const folders = upload.files.some(({ path }) => path.includes('/'));
  const choose = (files: FileList | null): void => {
    if (core.uploads.resume(upload, fromChooser(files)) === 0) {
      core.report(
        new ApiError(
          0,
          'other_files',
          'None of the chosen files belongs to this upload.',
          'Choose the same files again.'
        )
      );
    }
  };
  return (
    <li className="vx-Job vx-mod-paused" data-testid="upload-interrupted">
      <div className="vx-Job-head">
        <strong title={upload.title}>{upload.title}</strong>
        <Button
          label={`Discard ${upload.title}`}
          icon="trash"
          iconOnly
          kind="quiet"
          onClick={() => void core.uploads.discard(upload.id).catch(e => core.report(e))}
        />
      </div>
      <ProgressBar
        value={upload.size ? upload.received / upload.size : 0}
        label={`Interrupted upload of ${upload.title}`}
        state="paused"
      />
      <div className="vx-Job-text">
        Interrupted at {bytes(upload.received)} of {bytes(upload.size)}. Choose the same{' '}
        {folders ? 'folder' : 'files'} again to continue.
      </div>
      <Button label="Choose again" icon="upload" kind="plain" onClick={() => input.current?.click()} />
      <input
        ref={input}
        type="file"
        hidden
        multiple
        data-testid="resume-input"
        {...(folders ? { webkitdirectory: '' } : {})}
        onChange={e => choose(e.target.files)}
      />
    </li>
  );
}

export function UploadList({
  core,
  onShow
}: {
  core: Core;
  onShow: (wanted: Wanted) => void;
}): JSX.Element | null {
  const jobs = useStore(core.uploads.jobs);
  const interrupted = useStore(core.uploads.interrupted);
  if (jobs.length + interrupted.length === 0) {
    return null;
  }
  return (
    <section className="vx-Section" aria-label="Transfers">
      <h3>Transfers</h3>
      <ul className="vx-List">
        {jobs.map(job => (
          <JobRow key={job.key} core={core} job={job} onShow={onShow} />
        ))}
        {interrupted.map(upload => (
          <InterruptedRow key={upload.id} core={core} upload={upload} />
        ))}
      </ul>
    </section>
  );
}
