/** How urgent a run or a batch is. High is for owners of shared projects and for administrators. */
import type { Core } from '../core';
import { Field } from '../shared/components';
import { useStore } from '../shared/store';
import type { Priority } from '../shared/types';

const TITLES: Record<Priority, string> = {
  [-1]: 'Low: lets the others go first',
  0: 'Normal',
  1: 'High: goes before the others'
};

export function PriorityField({
  core,
  project,
  value,
  onChange
}: {
  core: Core;
  project: string;
  value: Priority;
  onChange: (value: Priority) => void;
}): JSX.Element {
  const me = useStore(core.me);
  const role = me?.projects.find(({ name }) => name === project);
  const high = me?.admin || (role?.kind === 'shared' && role.role === 'owner');
  const choices: Priority[] = high ? [1, 0, -1] : [0, -1];
  return (
    <Field label="Priority">
      {ids => (
        <select
          {...ids}
          className="vx-Input"
          data-testid="priority"
          value={choices.includes(value) ? value : 0}
          onChange={e => onChange(Number(e.target.value) as Priority)}
        >
          {choices.map(choice => (
            <option key={choice} value={choice}>
              {TITLES[choice]}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
