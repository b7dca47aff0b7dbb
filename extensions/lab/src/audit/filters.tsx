/** What of the log is shown. A person's own trail has no search for persons. */
import { Button } from '../shared/components';
import { Icon } from '../shared/icons';
import { ACTIONS, ALL, isFiltered, OUTCOMES, type Wanted } from './words';

function Choice({
  label,
  any,
  value,
  options,
  testId,
  onChange
}: {
  label: string;
  any: string;
  value: string;
  options: readonly { id: string; title: string }[];
  testId: string;
  onChange: (value: string) => void;
}): JSX.Element {
  return (
    <select
      className="vx-Input"
      aria-label={label}
      value={value}
      data-testid={testId}
      onChange={event => onChange(event.target.value)}
    >
      <option value="">{any}</option>
      {options.map(option => (
        <option key={option.id} value={option.id}>
          {option.title}
        </option>
      ))}
    </select>
  );
}

function Day({
  label,
  value,
  testId,
  onChange
}: {
  label: string;
  value: string;
  testId: string;
  onChange: (value: string) => void;
}): JSX.Element {
  return (
    <label className="vx-Activity-day">
      <span>{label}</span>
      <input
        type="date"
        className="vx-Input"
        value={value}
        data-testid={testId}
        onChange={event => onChange(event.target.value)}
      />
    </label>
  );
}

export function ActivityFilters({
  everybody,
  wanted,
  onChange
}: {
  everybody: boolean;
  wanted: Wanted;
  onChange: (change: Partial<Wanted>) => void;
}): JSX.Element {
  return (
    <div className="vx-Filters" role="search" aria-label="Filter the activity">
      {everybody && (
        <>
          <label className="vx-Search">
            <Icon name="search" />
            <input
              type="search"
              className="vx-Input"
              aria-label="Person"
              placeholder="Person, as alice"
              value={wanted.actor}
              data-testid="activity-actor"
              onChange={event => onChange({ actor: event.target.value })}
            />
          </label>
          <input
            type="search"
            className="vx-Input vx-Activity-resource"
            aria-label="Resource"
            placeholder="Resource, as run:… or project:demo"
            value={wanted.resource}
            data-testid="activity-resource"
            onChange={event => onChange({ resource: event.target.value })}
          />
        </>
      )}
      <Choice
        label="Kind of activity"
        any="Activity: all"
        value={wanted.action}
        options={ACTIONS}
        testId="activity-action"
        onChange={action => onChange({ action })}
      />
      <Choice
        label="Outcome"
        any="Outcome: all"
        value={wanted.outcome}
        options={OUTCOMES}
        testId="activity-outcome"
        onChange={outcome => onChange({ outcome })}
      />
      <span className="vx-Activity-days">
        <Day label="From" value={wanted.from} testId="activity-from" onChange={from => onChange({ from })} />
        <Day label="to" value={wanted.to} testId="activity-to" onChange={to => onChange({ to })} />
      </span>
      {isFiltered(wanted) && (
        <Button
          label="Clear filters"
          icon="close"
          kind="quiet"
          testId="activity-clear"
          onClick={() => onChange(ALL)}
        />
      )}
    </div>
  );
}
