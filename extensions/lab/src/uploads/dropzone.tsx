/** Where data comes in: a drop zone and buttons, with the dialogs they open. */
import { useRef, useState } from 'react';

import type { Core } from '../core';
import { Button } from '../shared/components';
import { Icon } from '../shared/icons';
import { fromChooser, fromDrop, type Picked } from './collect';
import { TextDialog, UploadDialog } from './dialogs';
import { DOOR } from './target';
import { UrlDialog } from './url-dialog';

function hasFiles(event: React.DragEvent): boolean {
  return event.dataTransfer.types.includes('Files');
}

/** Handlers for an element that takes files, and whether some hover over it. */
export function useDrop(onFiles: (files: Picked[]) => void) {
  const [over, setOver] = useState(0);
  return {
    over: over > 0,
    handlers: {
      onDragEnter: (e: React.DragEvent) => {
        if (hasFiles(e)) {
          e.preventDefault();
          setOver(n => n + 1);
        }
      },
      onDragOver: (e: React.DragEvent) => {
        if (hasFiles(e)) {
          e.preventDefault();
          e.dataTransfer.dropEffect = 'copy';
        }
      },
      onDragLeave: (e: React.DragEvent) => {
        if (hasFiles(e)) {
          setOver(n => Math.max(0, n - 1));
        }
      },
      onDrop: (e: React.DragEvent) => {
        if (hasFiles(e)) {
          e.preventDefault();
          e.stopPropagation();
          setOver(0);
          void fromDrop(e.dataTransfer).then(files => files.length > 0 && onFiles(files));
        }
      }
    }
  };
}

/** Buttons and dialogs; `children` get a function that opens the upload dialog for dropped files. */
export function BringIn({
  core,
  project,
  compact = false,
  children
}: {
  core: Core;
  project: string;
  compact?: boolean;
  children?: (open: (files: Picked[]) => void) => JSX.Element;
}): JSX.Element {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [picked, setPicked] = useState<Picked[] | null>(null);
  const [asking, setAsking] = useState<'text' | 'url' | null>(null);
  const chosen = (input: HTMLInputElement): void => {
    const found = fromChooser(input.files);
    input.value = '';
    if (found.length > 0) {
      setPicked(found);
    }
  };
  return (
    <>
      {children?.(setPicked)}
      <div className={`vx-Buttons${compact ? ' vx-mod-compact' : ''}`}>
        <Button
          label="Upload files"
          icon="upload"
          kind="primary"
          testId="upload-files"
          onClick={() => files.current?.click()}
        />
        <Button
          label="Upload folder"
          icon="folder"
          testId="upload-folder"
          onClick={() => folder.current?.click()}
        />
        <Button label="From a URL…" icon="link" testId="from-url" onClick={() => setAsking('url')} />
        <Button label="New text file" icon="text" testId="new-text" onClick={() => setAsking('text')} />
      </div>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        data-testid="files-input"
        onChange={e => chosen(e.target)}
      />
      <input
        ref={folder}
        type="file"
        hidden
        data-testid="folder-input"
        {...{ webkitdirectory: '' }}
        onChange={e => chosen(e.target)}
      />
      {picked && (
        <UploadDialog core={core} picked={picked} project={project} onClose={() => setPicked(null)} />
      )}
      {asking === 'text' && <TextDialog core={core} project={project} onClose={() => setAsking(null)} />}
      {asking === 'url' && <UrlDialog core={core} project={project} onClose={() => setAsking(null)} />}
    </>
  );
}

export function DropZone({
  clinical,
  onFiles
}: {
  clinical: boolean;
  onFiles: (files: Picked[]) => void;
}): JSX.Element {
  const { over, handlers } = useDrop(onFiles);
  return (
    <div className={`vx-Drop${over ? ' vx-mod-over' : ''}`} data-testid="drop-zone" {...handlers}>
      <Icon name="upload" />
      <span>Drop files or folders here</span>
      <small>DICOM, NIfTI, images, tables, archives</small>
      {clinical && (
        <small className="vx-Door" data-testid="door-note">
          <Icon name="shield" />
          <span>
            <strong>Clinical project:</strong> {DOOR.charAt(0).toLowerCase() + DOOR.slice(1)}
          </span>
        </small>
      )}
    </div>
  );
}
