/** What a tool takes, and which of the chosen rows it would get. */
import type { Core } from '../core';
import { termTitle } from '../shared/format';
import { useStore } from '../shared/store';
import type { Entry, Tool } from '../shared/types';

const NAMED = 6; // rows that are called by name

export function Inputs({
  core,
  tool,
  selection
}: {
  core: Core;
  tool: Tool;
  selection: readonly Entry[];
}): JSX.Element {
  const vocabulary = useStore(core.vocabulary);
  const names = new Map(selection.map(entry => [entry.id, entry.name]));
  const given = (ids: readonly string[]): string => {
    const more = ids.length - NAMED;
    const shown = ids.slice(0, NAMED).map(id => names.get(id) ?? id);
    return shown.join(', ') + (more > 0 ? ` and ${more.toLocaleString('en-GB')} more` : '');
  };
  return (
    <ul className="vx-ToolInputs">
      {tool.inputs.map(input => {
        const ids = tool.assignment[input.name] ?? [];
        const formats = new Set(input.accepts.map(a => termTitle(vocabulary, 'file_formats', a.file_format)));
        const types = input.accepts.map(a =>
          a.data_type === '*' ? 'any' : termTitle(vocabulary, 'data_types', a.data_type)
        );
        return (
          <li key={input.name} title={input.description}>
            <span>{input.title}</span>
            {ids.length > 0 ? (
              <strong>{given(ids)}</strong>
            ) : (
              <small title={types.join(', ')}>{[...formats].join(', ')}</small>
            )}
          </li>
        );
      })}
    </ul>
  );
}
