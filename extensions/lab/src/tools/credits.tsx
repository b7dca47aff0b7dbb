/** Whose work a tool is, and what it may reach: what a person should know before it gets their data. */
import type { Tool } from '../shared/types';

export function networkNote(tool: Tool): string {
  if (!tool.network) {
    return 'No network: nothing leaves VoxelHub.';
  }
  return `It may use the whole network of this machine. What leaves, in its developer’s words: ${tool.sends || 'nothing is said.'}`;
}

export function Credits({ tool }: { tool: Tool }): JSX.Element | null {
  const rows: [string, React.ReactNode][] = [
    ['Authors', (tool.authors ?? []).join(', ')],
    ['Licence', tool.licence],
    ['Please cite', tool.citation],
    [
      'Homepage',
      tool.homepage && (
        <a href={tool.homepage} target="_blank" rel="noreferrer noopener">
          {tool.homepage.replace(/^https?:\/\//, '')}
        </a>
      )
    ]
  ];
  const known = rows.filter(([, value]) => value);
  return known.length === 0 ? null : (
    <dl className="vx-Credits" data-testid={`credits-${tool.name}`}>
      {known.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
