import { Icon } from '../shared/icons';

/** A plain link: the browser streams to the disk, and asks the service again where it stopped. */
export function Download({ href, label }: { href: string; label: string }): JSX.Element {
  return (
    <a
      className="vx-Button vx-mod-quiet vx-mod-icon"
      href={href}
      download=""
      aria-label={label}
      title={label}
    >
      <Icon name="download" />
    </a>
  );
}
