/** An import from an address: the service loads it, no browser need stay open. */
import { useState } from 'react';

import type { Core } from '../core';
import { CheckField, TextField } from '../shared/fields';
import { FormDialog } from '../shared/form-dialog';
import { TargetFields, TargetNotes, useTarget } from './target';
import { TypingFields, type Typing } from './typing';

const LONGEST = 4096;

/** What is wrong with an address, as a sentence; empty while it may be right. */
export function addressComplaint(address: string): string {
  if (!address) {
    return '';
  }
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return 'This is not a whole address. It begins with https://, http:// or ftp://.';
  }
  if (!['https:', 'http:', 'ftp:'].includes(url.protocol) || !url.hostname) {
    return 'Only https, http and ftp are loaded.';
  }
  return url.username || url.password ? 'An address with a user name or password is not taken.' : '';
}

/** The last part of an address without its endings. */
function proposedTitle(address: string): string {
  const last = address.split(/[?#]/)[0]!.replace(/\/+$/, '').split('/').slice(3).pop() ?? '';
  try {
    return decodeURIComponent(last).replace(/\.(nii\.gz|tar\.(gz|zst)|[a-z0-9]{1,5})$/i, '');
  } catch {
    return '';
  }
}

export function UrlDialog({
  core,
  project,
  onClose
}: {
  core: Core;
  project: string;
  onClose: () => void;
}): JSX.Element {
  const [address, setAddress] = useState('');
  const [digest, setDigest] = useState('');
  const [unpack, setUnpack] = useState(true);
  const [typing, setTyping] = useState<Typing>({});
  const url = address.trim();
  const sha256 = digest.trim().toLowerCase();
  const target = useTarget(core, project, proposedTitle(url));
  const wrong = addressComplaint(url);
  const wrongDigest =
    sha256 && !/^[0-9a-f]{64}$/.test(sha256) ? 'A SHA-256 is 64 letters from 0–9 and a–f.' : '';
  const start = (): Promise<void> =>
    core.uploads.beginUrl({
      project: target.project,
      title: target.title.trim(),
      mode: target.mode,
      url,
      sha256: sha256 || undefined,
      unpack,
      ...typing
    });
  return (
    <FormDialog
      title="Import from a URL"
      testId="url-dialog"
      wide
      confirm={{
        label: 'Import',
        icon: 'download',
        testId: 'url-start',
        disabled: !url || !!wrong || !!wrongDigest || !target.ready
      }}
      save={start}
      onClose={onClose}
    >
      <TextField
        label="Address of the file"
        hint="http, https or ftp. The service loads it: you may close this page meanwhile."
        error={wrong}
        testId="url-address"
        placeholder="https://"
        maxLength={LONGEST}
        value={address}
        onChange={setAddress}
      />
      <div className="vx-Form-columns">
        <TargetFields core={core} target={target} />
        <TypingFields core={core} value={typing} onChange={setTyping} />
      </div>
      <TextField
        label="SHA-256 (optional)"
        hint="Where its publisher names one, the file is compared with it."
        error={wrongDigest}
        testId="url-sha256"
        maxLength={80}
        mono
        value={digest}
        onChange={setDigest}
      />
      <CheckField label="Unpack it if it is a ZIP or TAR archive" value={unpack} onChange={setUnpack} />
      <TargetNotes core={core} target={target} size={null} />
    </FormDialog>
  );
}
