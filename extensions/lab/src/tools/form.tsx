/**
 * A form from a tool's schema. Our own and small: the ready-made renderer fails on 2020-12 tuples, labels no input in
 * Lab's theme, and adds 240 kB at start.
 */
import { useState } from 'react';

import { Field } from '../shared/components';
import { CheckField } from '../shared/fields';
import { complaint, listOf, listText, type FormField, type Scalar, type Value } from './schema';

type Values = Record<string, Value>;
type Ids = { id: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean };

interface ControlProps {
  field: FormField;
  value: Value | undefined;
  onChange: (value: Value | undefined) => void;
  ids: Ids;
}

/** A field for a list that is typed; what is half typed stays as it is. */
function ListControl({ field, value, onChange, ids }: ControlProps): JSX.Element {
  const [text, setText] = useState(() => listText(field, value));
  const shared = {
    ...ids,
    className: 'vx-Input',
    'data-testid': `argument-${field.name}`,
    value: text,
    onChange: (e: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>): void => {
      setText(e.target.value);
      onChange(listOf(field, e.target.value));
    }
  };
  return field.type === 'string' ? (
    <textarea {...shared} rows={3} placeholder="One in each line" />
  ) : (
    <input {...shared} type="text" inputMode="decimal" placeholder="Separated by commas" />
  );
}

function Control({ field, value, onChange, ids }: ControlProps): JSX.Element {
  const shared = {
    ...ids,
    className: 'vx-Input',
    'data-testid': `argument-${field.name}`,
    required: field.required
  };
  if (field.choices) {
    const choices = field.choices;
    return (
      <select
        {...shared}
        value={choices.indexOf(value as Scalar)}
        onChange={e => onChange(choices[Number(e.target.value)])}
      >
        {(!field.required || value === undefined) && field.initial === undefined && (
          <option value={-1}>–</option>
        )}
        {choices.map((_, index) => (
          <option key={index} value={index}>
            {field.titles[index]}
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
        step={field.multipleOf ?? (field.type === 'integer' ? 1 : 'any')}
        value={value === undefined ? '' : String(value)}
        onChange={e => onChange(e.target.value === '' ? undefined : Number(e.target.value))}
      />
    );
  }
  return (
    <input
      {...shared}
      type="text"
      value={value === undefined ? '' : String(value)}
      onChange={e => onChange(e.target.value || undefined)}
    />
  );
}

/** A box for each choice, as one group with one complaint. */
function Choices({
  field,
  value,
  onChange,
  error
}: Omit<ControlProps, 'ids'> & { error: string }): JSX.Element {
  const chosen = Array.isArray(value) ? value : [];
  const note = error || field.description;
  return (
    <fieldset className="vx-Field vx-Choices" data-testid={`argument-${field.name}`}>
      <legend>{field.title}</legend>
      {(field.choices ?? []).map((choice, index) => (
        <CheckField
          key={index}
          label={field.titles[index] ?? String(choice)}
          testId={`argument-${field.name}-${index}`}
          value={chosen.includes(choice)}
          onChange={on =>
            onChange((field.choices ?? []).filter(one => (one === choice ? on : chosen.includes(one))))
          }
        />
      ))}
      {note && (
        <div className="vx-Field-note" role={error ? 'alert' : undefined}>
          <span className={error ? 'vx-Field-error' : 'vx-Field-hint'}>{note}</span>
        </div>
      )}
    </fieldset>
  );
}

function ArgumentField({
  field,
  value,
  onChange,
  error
}: Omit<ControlProps, 'ids'> & { error: string }): JSX.Element {
  if (field.several && field.choices) {
    return <Choices field={field} value={value} onChange={onChange} error={error} />;
  }
  if (field.type === 'boolean' && !field.several) {
    return (
      <CheckField
        label={field.title}
        hint={error || field.description}
        title={field.description}
        testId={`argument-${field.name}`}
        value={value === true}
        onChange={onChange}
      />
    );
  }
  const optional = !field.required && field.initial === undefined;
  const props = { field, value, onChange };
  return (
    <Field label={field.title + (optional ? ' (optional)' : '')} hint={field.description} error={error}>
      {ids => (
        <div className="vx-WithUnit">
          {field.several ? <ListControl {...props} ids={ids} /> : <Control {...props} ids={ids} />}
          {field.unit && <span className="vx-Unit">{field.unit}</span>}
        </div>
      )}
    </Field>
  );
}

export function SchemaForm({
  fields,
  values,
  onChange,
  refused
}: {
  fields: readonly FormField[];
  values: Values;
  onChange: (values: Values) => void;
  /** What the service said about one of the fields. */
  refused?: { name: string; sentence: string };
}): JSX.Element {
  const set = (name: string, value: Value | undefined): void => {
    const others = Object.entries(values).filter(([known]) => known !== name);
    onChange(Object.fromEntries(value === undefined ? others : [...others, [name, value]]));
  };
  return (
    <div className="vx-Form">
      {fields.map(field => (
        <ArgumentField
          key={field.name}
          field={field}
          value={values[field.name]}
          onChange={value => set(field.name, value)}
          error={
            complaint(field, values[field.name]) || (refused?.name === field.name ? refused.sentence : '')
          }
        />
      ))}
    </div>
  );
}
