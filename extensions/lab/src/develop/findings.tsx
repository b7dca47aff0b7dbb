/** What a check or a scan says, the worst first: where, what is wrong, and what would make it right. */
import type { ToolFinding } from '../shared/types';
import { LEVELS, type Level } from './words';

/** `fields` between backticks as code, as the command line and the pages write them. */
export function Sentence({ text }: { text: string }): JSX.Element {
  return (
    <span>{text.split('`').map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</span>
  );
}

const ORDER: Level[] = ['error', 'warning', 'note'];

export function ToolFindings({ findings }: { findings: readonly ToolFinding[] }): JSX.Element | null {
  if (findings.length === 0) {
    return null;
  }
  const sorted = [...findings].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
  return (
    <ul className="vx-ToolFindings" data-testid="tool-findings">
      {sorted.map((finding, index) => (
        <li key={index} data-testid="tool-finding" data-level={finding.level} data-where={finding.where}>
          <span className={`vx-Chip vx-mod-${LEVELS[finding.level].tone}`}>{LEVELS[finding.level].text}</span>
          <div>
            {!finding.sentence.includes(`\`${finding.where}\``) && <code>{finding.where}</code>}
            <Sentence text={finding.sentence} />
            {finding.fix && (
              <small>
                <Sentence text={finding.fix} />
              </small>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
