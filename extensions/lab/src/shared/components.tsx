/** The few parts all panels are made of. Text and state come in, events go out. */
import { useEffect, useId, useRef, type ReactNode, type RefObject } from 'react';
import { createPortal } from 'react-dom';

import type { ApiError } from './api';
import { Icon, type IconName } from './icons';

export interface ButtonProps {
  label: string;
  icon?: IconName;
  /** Only the icon shows; the label is read out and shown as a tip. */
  iconOnly?: boolean;
  kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  disabled?: boolean;
  title?: string;
  testId?: string;
  pressed?: boolean;
  expanded?: boolean;
  /** A number that wants attention; 0 shows nothing. */
  badge?: number;
  autoFocus?: boolean;
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
}

export function Button(props: ButtonProps): JSX.Element {
  const { label, icon, iconOnly = false, kind = 'plain', title } = props;
  return (
    <button
      type="button"
      className={`vx-Button vx-mod-${kind}${iconOnly ? ' vx-mod-icon' : ''}`}
      aria-label={iconOnly ? label : undefined}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      title={title ?? (iconOnly ? label : undefined)}
      disabled={props.disabled}
      data-testid={props.testId}
      autoFocus={props.autoFocus}
      onClick={props.onClick}
    >
      {icon && <Icon name={icon} />}
      {!iconOnly && <span>{label}</span>}
      {!!props.badge && (
        <span className="vx-Badge">
          {props.badge.toLocaleString('en-GB')}
          <span className="vx-Hidden"> waiting</span>
        </span>
      )}
    </button>
  );
}

export function Notice({
  kind,
  icon = kind === 'info' ? 'info' : 'warning',
  children,
  action
}: {
  kind: 'error' | 'warning' | 'info';
  icon?: IconName;
  children: ReactNode;
  action?: ReactNode;
}): JSX.Element {
  return (
    <div className={`vx-Notice vx-mod-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <Icon name={icon} />
      <div className="vx-Notice-text">{children}</div>
      {action}
    </div>
  );
}

/** The service's sentence and what would make it right. */
export function ProblemNotice({
  problem,
  onRetry
}: {
  problem: ApiError;
  onRetry?: () => void;
}): JSX.Element {
  return (
    <Notice kind="error" action={onRetry && <Button label="Try again" kind="quiet" onClick={onRetry} />}>
      <strong>{problem.message}</strong> {problem.fix}
    </Notice>
  );
}

export function ProgressBar({
  value,
  label,
  state = 'active'
}: {
  /** 0 … 1; undefined while nobody knows. */
  value?: number;
  label: string;
  state?: 'active' | 'done' | 'failed' | 'paused';
}): JSX.Element {
  const percent = value === undefined ? undefined : Math.round(Math.min(1, Math.max(0, value)) * 100);
  return (
    <div
      className={`vx-Progress vx-mod-${state}${percent === undefined ? ' vx-mod-unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <div style={{ width: `${percent ?? 30}%` }} />
    </div>
  );
}

export function Empty({
  icon,
  title,
  children
}: {
  icon: IconName;
  title: string;
  children?: ReactNode;
}): JSX.Element {
  return (
    <div className="vx-Empty">
      <Icon name={icon} />
      <h3>{title}</h3>
      {children && <div className="vx-Empty-text">{children}</div>}
    </div>
  );
}

/** A label above its control; the control gets the id. */
export function Field({
  label,
  hint,
  error,
  counter,
  children
}: {
  label: string;
  hint?: string;
  error?: string;
  /** How much of it is written; not read out at every letter. */
  counter?: string;
  children: (ids: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean }) => ReactNode;
}): JSX.Element {
  const id = useId();
  const note = error || hint;
  return (
    <div className="vx-Field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        'aria-describedby': note ? `${id}-note` : undefined,
        'aria-invalid': error ? true : undefined
      })}
      {note && (
        <div className="vx-Field-note">
          <span id={`${id}-note`} className={error ? 'vx-Field-error' : 'vx-Field-hint'}>
            {note}
          </span>
          {counter && <span className="vx-Field-counter">{counter}</span>}
        </div>
      )}
    </div>
  );
}

const FOCUSABLE =
  'button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), a[href]';

function keepFocusInside(event: React.KeyboardEvent, container: HTMLElement | null): void {
  const items = [...(container?.querySelectorAll<HTMLElement>(FOCUSABLE) ?? [])].filter(e => e.offsetParent);
  const [first, last] = [items[0], items[items.length - 1]];
  if (event.key !== 'Tab' || !first || !last) {
    return;
  }
  if (event.shiftKey && document.activeElement === first) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && document.activeElement === last) {
    event.preventDefault();
    first.focus();
  }
}

/** Escape closes the uppermost dialog also when something else has taken the focus from it. */
function useEscapeOutside(box: RefObject<HTMLDivElement>, onClose: () => void): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const dialogs = document.querySelectorAll('.vx-Dialog');
      const uppermost = dialogs[dialogs.length - 1] === box.current;
      if (event.key === 'Escape' && uppermost && !box.current?.contains(event.target as Node)) {
        onClose();
      }
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [box, onClose]);
}

/** A modal dialog: focus stays inside, Escape closes, focus returns to where it came from. */
export function Dialog({
  title,
  onClose,
  actions,
  wide = false,
  children,
  testId
}: {
  title: string;
  onClose: () => void;
  actions: ReactNode;
  wide?: boolean;
  children: ReactNode;
  testId?: string;
}): JSX.Element {
  const titleId = useId();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const wanted = box.current?.querySelector<HTMLElement>(
      '[data-autofocus], input:not([type=checkbox]), select, textarea'
    );
    (wanted ?? box.current?.querySelector<HTMLElement>(FOCUSABLE))?.focus();
    return () => before?.focus();
  }, []);
  useEscapeOutside(box, onClose);
  return createPortal(
    <div
      className="vx-Dialog-backdrop vx-Root"
      onMouseDown={event => event.target === event.currentTarget && onClose()}
    >
      <div
        ref={box}
        className={`vx-Dialog${wide ? ' vx-mod-wide' : ''}`}
        role="dialog"
        aria-modal="true"
        aria-labelledby={titleId}
        data-testid={testId}
        onKeyDown={event => {
          event.stopPropagation();
          if (event.key === 'Escape') {
            onClose();
          }
          keepFocusInside(event, box.current);
        }}
      >
        <header>
          <h2 id={titleId}>{title}</h2>
          <Button label="Close" icon="close" iconOnly kind="quiet" onClick={onClose} />
        </header>
        <div className="vx-Dialog-body">{children}</div>
        <footer>{actions}</footer>
      </div>
    </div>,
    document.body
  );
}

export interface MenuItem {
  label: string;
  icon: IconName;
  disabled?: boolean;
  danger?: boolean;
  onChoose: () => void;
}

/** A small menu at a point of the page; arrow keys move, Escape closes. */
export function Menu({
  x,
  y,
  label,
  items,
  onClose
}: {
  x: number;
  y: number;
  label: string;
  items: MenuItem[];
  onClose: () => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    box.current?.querySelector<HTMLElement>('[role=menuitem]:not([disabled])')?.focus();
    return () => before?.focus();
  }, []);
  const move = (step: number): void => {
    const all = [...(box.current?.querySelectorAll<HTMLElement>('[role=menuitem]:not([disabled])') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  const left = Math.max(4, Math.min(x, window.innerWidth - 220));
  const top = Math.max(4, Math.min(y, window.innerHeight - 12 - items.length * 30));
  return createPortal(
    <div
      className="vx-Menu-backdrop vx-Root"
      onMouseDown={event => event.target === event.currentTarget && onClose()}
    >
      <div
        ref={box}
        className="vx-Menu"
        role="menu"
        aria-label={label}
        style={{ left, top }}
        onKeyDown={event => {
          event.stopPropagation();
          if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
            event.preventDefault();
            move(event.key === 'ArrowDown' ? 1 : -1);
          } else if (event.key === 'Escape' || event.key === 'Tab') {
            event.preventDefault();
            onClose();
          }
        }}
      >
        {items.map(item => (
          <button
            key={item.label}
            type="button"
            role="menuitem"
            tabIndex={-1}
            className={item.danger ? 'vx-mod-danger' : ''}
            disabled={item.disabled}
            onClick={() => {
              onClose();
              item.onChoose();
            }}
          >
            <Icon name={item.icon} />
            {item.label}
          </button>
        ))}
      </div>
    </div>,
    document.body
  );
}

/** Text with a button that copies it. */
export function Copyable({ text, label }: { text: string; label: string }): JSX.Element {
  return (
    <span className="vx-Copyable">
      <code title={text}>{text}</code>
      <Button
        label={`Copy ${label}`}
        icon="copy"
        iconOnly
        kind="quiet"
        onClick={() => void navigator.clipboard.writeText(text)}
      />
    </span>
  );
}
