/**
 * A form from a tool's schema. Our own and small: the ready-made renderer fails on 2020-12 tuples, labels no input in
 * Lab's theme, and adds 240 kB at start.
 */
import { Field } from '../shared/components';
import { CheckField } from '../shared/fields';
import { complaint, type FormField, type Value } from './schema';

type Values = Record<string, Value>;
type Ids = { id: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean };

function Control({
  field,
  value,
  onChange,
  ids
}: {
  field: FormField;
  value: Value | undefined;
  onChange: (value: Value | undefined) => void;
  ids: Ids;
}): JSX.Element {
  const shared = {
    ...ids,
    className: 'vx-Input',
    'data-testid': `argument-${field.name}`,
    required: field.required
  };
  if (field.type === 'enum') {
    const choices = field.choices ?? [];
    return (
      <select
        {...shared}
        value={choices.indexOf(value as Value)}
        onChange={e => onChange(choices[Number(e.target.value)])}
      >
        {!field.required && field.initial === undefined && <option value={-1}>–</option>}
        {choices.map((choice, index) => (
          <option key={index} value={index}>
            {String(choice)}
          </option>
        ))}
      </select>
    );
  }
  if (field.type === 'number' || field.type === 'integer') {
    return (
      <input
        {...shared}
        type="number"
        min={field.minimum ?? field.exclusiveMinimum}
        max={field.maximum ?? field.exclusiveMaximum}
        step={field.step ?? (field.type === 'integer' ? 1 : 'any')}
        value={value === undefined ? '' : String(value)}
        onChange={e => onChange(e.target.value === '' ? undefined : Number(e.target.value))}
      />
    );
  }
  return (
    <input
      {...shared}
      type="text"
      maxLength={field.maxLength}
      value={value === undefined ? '' : String(value)}
      onChange={e => onChange(e.target.value || undefined)}
    />
  );
}

export function SchemaForm({
  fields,
  values,
  onChange
}: {
  fields: readonly FormField[];
  values: Values;
  onChange: (values: Values) => void;
}): JSX.Element {
  const set = (name: string, value: Value | undefined): void => {
    const others = Object.entries(values).filter(([known]) => known !== name);
    onChange(Object.fromEntries(value === undefined ? others : [...others, [name, value]]));
  };
  return (
    <div className="vx-Form">
      {fields.map(field =>
        field.type === 'boolean' ? (
          <CheckField
            key={field.name}
            label={field.title}
            hint={field.description}
            title={field.description}
            testId={`argument-${field.name}`}
            value={values[field.name] === true}
            onChange={on => set(field.name, on)}
          />
        ) : (
          <Field
            key={field.name}
            label={field.title + (field.required || field.initial !== undefined ? '' : ' (optional)')}
            hint={field.description}
            error={complaint(field, values[field.name])}
          >
            {ids => (
              <Control
                field={field}
                value={values[field.name]}
                onChange={value => set(field.name, value)}
                ids={ids}
              />
            )}
          </Field>
        )
      )}
    </div>
  );
}
