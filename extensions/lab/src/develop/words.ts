/** What the states and levels of a submitted tool are called, and how they look. */
import type { ToolFinding, Submission } from '../shared/types';

export type SubmissionState = Submission['state'];
export type Level = ToolFinding['level'];
type Look = { text: string; tone: 'wait' | 'good' | 'bad' | 'off' | 'live' };

export const STATES: Record<SubmissionState, Look> = {
  submitted: { text: 'Waits for review', tone: 'wait' },
  approved: { text: 'Approved', tone: 'good' },
  rejected: { text: 'Rejected', tone: 'bad' },
  withdrawn: { text: 'Withdrawn', tone: 'off' },
  retired: { text: 'Retired', tone: 'off' }
};

export const LEVELS: Record<Level, Look> = {
  error: { text: 'Mend', tone: 'bad' },
  warning: { text: 'Look at', tone: 'wait' },
  note: { text: 'Note', tone: 'live' }
};

export const KINDS = [
  { id: 'python', title: 'Python', hint: 'A function of yours; the adapter gives it paths and arguments.' },
  { id: 'r', title: 'R', hint: 'An R script, as it is; it gets paths and arguments on its command line.' },
  { id: 'shell', title: 'Shell', hint: 'Any program or script, as it is.' },
  { id: 'notebook', title: 'Notebook', hint: 'A notebook with a cell tagged “parameters”.' }
] as const;
export type Kind = (typeof KINDS)[number]['id'];

/** As the manifest wants it: lower-case letters, digits and hyphens. */
export const TOOL_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
