/** Uploads under way, and those that may be continued. */
import { useRef } from 'react';

import type { Core } from '../core';
import { ApiError } from '../shared/api';
import type { Upload } from '../shared/types';
import { Button, ProgressBar } from '../shared/components';
import { bytes, count, duration } from '../shared/format';
import { useStore } from '../shared/store';
import { fromChooser } from './collect';
import type { JobView } from './job';

function describe(job: JobView): string {
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
      return job.run?.progress_text || 'Looking at the content …';
    case 'done':
      return `In the workspace: ${count(job.files, 'file')}, ${bytes(job.size)}`;
    case 'cancelled':
      return 'Cancelled';
    case 'failed':
      return job.problem
        ? `${job.problem.message} ${job.problem.fix}`
        : job.run?.reason || 'The import failed.';
  }
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

function fraction(job: JobView): number | undefined {
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

function JobRow({ core, job }: { core: Core; job: JobView }): JSX.Element {
  const live = core.uploads.job(job.key);
  const over = job.state === 'done' || job.state === 'failed' || job.state === 'cancelled';
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
            onClick={() => live?.pause()}
          />
        )}
        {(job.state === 'paused' || (job.state === 'failed' && job.uploadId && !job.run)) && (
          <Button
            label={`Continue ${job.title}`}
            icon="play"
            iconOnly
            kind="quiet"
            onClick={() => void live?.start()}
          />
        )}
        {(job.state === 'sending' || job.state === 'paused' || job.state === 'checking') && (
          <Button
            label={`Cancel ${job.title}`}
            icon="close"
            iconOnly
            kind="quiet"
            onClick={() => void live?.cancel().catch(e => core.report(e))}
          />
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
      <ProgressBar value={fraction(job)} label={`Upload of ${job.title}`} state={BAR[job.state]} />
      <div className="vx-Job-text" role={job.state === 'failed' ? 'alert' : undefined}>
        {describe(job)}
      </div>
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

export function UploadList({ core }: { core: Core }): JSX.Element | null {
  const jobs = useStore(core.uploads.jobs);
  const interrupted = useStore(core.uploads.interrupted);
  if (jobs.length + interrupted.length === 0) {
    return null;
  }
  return (
    <section className="vx-Section" aria-label="Uploads">
      <h3>Uploads</h3>
      <ul className="vx-List">
        {jobs.map(job => (
          <JobRow key={job.key} core={core} job={job} />
        ))}
        {interrupted.map(upload => (
          <InterruptedRow key={upload.id} core={core} upload={upload} />
        ))}
      </ul>
    </section>
  );
}
