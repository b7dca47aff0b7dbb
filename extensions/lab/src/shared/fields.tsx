/** The controls that dialogs and forms are made of: a label, the control, and what is said about it. */
import { useId } from 'react';

import { Field } from './components';

interface Labelled {
  label: string;
  hint?: string;
  error?: string;
  counter?: string;
  testId?: string;
}

export interface Option {
  id: string;
  title: string;
}

export function TextField({
  value,
  onChange,
  testId,
  maxLength = 200,
  placeholder,
  suggestions,
  mono = false,
  ...labelled
}: Labelled & {
  value: string;
  onChange: (value: string) => void;
  maxLength?: number;
  placeholder?: string;
  /** Offered while typing; anything else may be typed too. */
  suggestions?: readonly string[];
  mono?: boolean;
}): JSX.Element {
  const list = useId();
  return (
    <Field {...labelled}>
      {ids => (
        <>
          <input
            {...ids}
            className={`vx-Input${mono ? ' vx-mod-mono' : ''}`}
            data-testid={testId}
            value={value}
            maxLength={maxLength}
            placeholder={placeholder}
            list={suggestions?.length ? list : undefined}
            autoComplete="off"
            onChange={e => onChange(e.target.value)}
          />
          {!!suggestions?.length && (
            <datalist id={list}>
              {suggestions.map(text => (
                <option key={text} value={text} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}

export function TextAreaField({
  value,
  onChange,
  testId,
  rows,
  maxLength,
  mono = false,
  ...labelled
}: Labelled & {
  value: string;
  onChange: (value: string) => void;
  rows: number;
  maxLength?: number;
  mono?: boolean;
}): JSX.Element {
  return (
    <Field {...labelled}>
      {ids => (
        <textarea
          {...ids}
          className={`vx-Input${mono ? ' vx-mod-mono' : ''}`}
          data-testid={testId}
          rows={rows}
          value={value}
          maxLength={maxLength}
          onChange={e => onChange(e.target.value)}
        />
      )}
    </Field>
  );
}

export function NumberField({
  value,
  onChange,
  testId,
  minimum,
  maximum,
  ...labelled
}: Labelled & {
  /** NaN while nothing is written. */
  value: number;
  onChange: (value: number) => void;
  minimum: number;
  maximum: number;
}): JSX.Element {
  return (
    <Field {...labelled}>
      {ids => (
        <input
          {...ids}
          type="number"
          className="vx-Input"
          data-testid={testId}
          value={Number.isNaN(value) ? '' : value}
          min={minimum}
          max={maximum}
          step={1}
          onChange={e => onChange(e.target.value === '' ? NaN : Number(e.target.value))}
        />
      )}
    </Field>
  );
}

export function SelectField({
  value,
  onChange,
  testId,
  options,
  any,
  ...labelled
}: Labelled & {
  value: string;
  onChange: (value: string) => void;
  options: readonly Option[];
  /** Words for “none of these”, the empty value. */
  any?: string;
}): JSX.Element {
  return (
    <Field {...labelled}>
      {ids => (
        <select
          {...ids}
          className="vx-Input"
          data-testid={testId}
          value={value}
          onChange={e => onChange(e.target.value)}
        >
          {any !== undefined && <option value="">{any}</option>}
          {options.map(option => (
            <option key={option.id} value={option.id}>
              {option.title}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField({
  label,
  hint,
  title,
  testId,
  value,
  onChange
}: Omit<Labelled, 'error' | 'counter'> & {
  title?: string;
  value: boolean;
  onChange: (value: boolean) => void;
}): JSX.Element {
  return (
    <label className="vx-Check" title={title}>
      <input
        type="checkbox"
        data-testid={testId}
        checked={value}
        onChange={e => onChange(e.target.checked)}
      />
      <span>
        {label}
        {hint && <small>{hint}</small>}
      </span>
    </label>
  );
}

/** One of a few, each with a sentence about what it does. */
export function RadioField<T extends string>({
  label,
  value,
  onChange,
  testId,
  options
}: Labelled & {
  value: T;
  onChange: (value: T) => void;
  options: readonly { id: T; title: string; hint: string }[];
}): JSX.Element {
  const name = useId();
  return (
    <fieldset className="vx-Radio" data-testid={testId}>
      <legend>{label}</legend>
      {options.map(option => (
        <label key={option.id} className="vx-Check">
          <input
            type="radio"
            name={name}
            value={option.id}
            checked={option.id === value}
            onChange={() => onChange(option.id)}
          />
          <span>
            {option.title}
            <small>{option.hint}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
