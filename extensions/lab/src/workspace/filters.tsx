/** The filter row above the table. */
import type { Core } from '../core';
import { Button } from '../shared/components';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import { INITIAL, isFiltered, type TableState } from './state';

function Choice({
  label,
  value,
  options,
  onChange,
  testId
}: {
  label: string;
  value: string;
  options: readonly { id: string; title: string }[];
  onChange: (value: string) => void;
  testId: string;
}): JSX.Element {
  return (
    <select
      className="vx-Input"
      aria-label={`Filter by ${label.toLowerCase()}`}
      value={value}
      data-testid={testId}
      onChange={e => onChange(e.target.value)}
    >
      <option value="">{label}: all</option>
      {options.map(option => (
        <option key={option.id} value={option.id}>
          {option.title}
        </option>
      ))}
    </select>
  );
}

export function Filters({
  core,
  state,
  onChange
}: {
  core: Core;
  state: TableState;
  onChange: (change: Partial<TableState>) => void;
}): JSX.Element {
  const vocabulary = useStore(core.vocabulary);
  const me = useStore(core.me);
  const projects = (me?.projects ?? []).map(project => ({
    id: project.name,
    title: project.title || project.name
  }));
  return (
    <div className="vx-Filters" role="search" aria-label="Filter the workspace">
      <label className="vx-Search">
        <Icon name="search" />
        <input
          type="search"
          className="vx-Input"
          aria-label="Filter by name"
          placeholder="Filter by name"
          value={state.q}
          data-testid="filter-text"
          onChange={e => onChange({ q: e.target.value })}
        />
      </label>
      <Choice
        label="Data type"
        testId="filter-type"
        value={state.data_type}
        options={vocabulary?.data_types ?? []}
        onChange={data_type => onChange({ data_type })}
      />
      <Choice
        label="Format"
        testId="filter-format"
        value={state.file_format}
        options={vocabulary?.file_formats ?? []}
        onChange={file_format => onChange({ file_format })}
      />
      <Choice
        label="Project"
        testId="filter-project"
        value={state.project}
        options={projects}
        onChange={project => onChange({ project })}
      />
      <input
        className="vx-Input vx-mod-short"
        aria-label="Filter by execution"
        placeholder="Execution"
        value={state.execution}
        data-testid="filter-execution"
        onChange={e => onChange({ execution: e.target.value.trim() })}
      />
      {state.batch && (
        <span className="vx-Chip vx-mod-live vx-Filter-batch" data-testid="filter-batch">
          <span title={state.batch_title}>Batch: {state.batch_title}</span>
          <Button
            label="Show more than this batch"
            icon="close"
            iconOnly
            kind="quiet"
            onClick={() => onChange({ batch: '', batch_title: '' })}
          />
        </span>
      )}
      {isFiltered(state) && (
        <Button
          label="Clear filters"
          icon="close"
          kind="quiet"
          testId="clear-filters"
          onClick={() => onChange({ ...INITIAL, sort: state.sort })}
        />
      )}
    </div>
  );
}
