/**
 * The part of JSON Schema 2020-12 that a tool's arguments use, as fields of a form. The service checks the whole; what is
 * said here about a value is word for word what it would say (tools/arguments.py; tests/lab/test_form_words.py).
 */

export type Scalar = string | number | boolean;
export type Value = Scalar | Scalar[];

export interface Rules {
  type: 'string' | 'number' | 'integer' | 'boolean';
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  choices?: Scalar[];
}

export interface FormField extends Rules {
  name: string;
  title: string;
  description: string;
  unit: string;
  required: boolean;
  initial: Value | undefined;
  /** Several values instead of one. */
  several: boolean;
  minItems?: number;
  maxItems?: number;
  uniqueItems: boolean;
  /** What people read for each choice. */
  titles: string[];
}

interface Property extends Omit<Rules, 'type' | 'choices'> {
  type?: string;
  title?: string;
  description?: string;
  default?: Value;
  enum?: Scalar[];
  items?: Property;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  'x-unit'?: string;
  'x-titles'?: string[];
  'x-hidden'?: boolean;
}

/** In the order of the schema, without those that only the tool sets. */
export function fieldsOf(schema: Record<string, unknown>): FormField[] {
  const properties = (schema['properties'] ?? {}) as Record<string, Property>;
  const required = new Set((schema['required'] ?? []) as string[]);
  return Object.entries(properties)
    .filter(([, property]) => !property['x-hidden'])
    .map(([name, property]) => {
      const several = property.type === 'array';
      const inner = several ? (property.items ?? {}) : property;
      const type = (inner.type as Rules['type'] | undefined) ?? 'string';
      const unset =
        several && !required.has(name) ? undefined : type === 'boolean' && !several ? false : undefined;
      return {
        name,
        type,
        several,
        title: property.title ?? name,
        description: property.description ?? '',
        unit: property['x-unit'] ?? '',
        required: required.has(name),
        initial: property.default ?? unset,
        minItems: property.minItems,
        maxItems: property.maxItems,
        uniqueItems: property.uniqueItems ?? false,
        minimum: inner.minimum,
        maximum: inner.maximum,
        exclusiveMinimum: inner.exclusiveMinimum,
        exclusiveMaximum: inner.exclusiveMaximum,
        multipleOf: inner.multipleOf,
        minLength: inner.minLength,
        maxLength: inner.maxLength,
        pattern: inner.pattern,
        choices: inner.enum,
        titles: property['x-titles'] ?? (inner.enum ?? []).map(String)
      };
    });
}

export function initialValues(fields: readonly FormField[]): Record<string, Value> {
  return Object.fromEntries(
    fields.flatMap(field => (field.initial === undefined ? [] : [[field.name, field.initial]]))
  );
}

const many = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;

/** What is wrong with a value, as the service's sentence; empty when nothing is. */
export function complaint(field: FormField, value: Value | undefined): string {
  if (value === undefined) {
    return field.required ? `Fill in ${field.title}.` : '';
  }
  if (!field.several) {
    return broken(field, field, value);
  }
  if (!Array.isArray(value)) {
    return `${field.title} must be a list.`;
  }
  const wrong = value.map(one => broken(field, field, one)).find(Boolean);
  if (wrong) {
    return wrong;
  }
  if (field.minItems !== undefined && value.length < field.minItems) {
    return `${field.title} must have at least ${many(field.minItems, 'value')}.`;
  }
  if (field.maxItems !== undefined && value.length > field.maxItems) {
    return `${field.title} must have at most ${many(field.maxItems, 'value')}.`;
  }
  return field.uniqueItems && new Set(value).size < value.length ? `${field.title} holds a value twice.` : '';
}

function broken({ title, unit }: FormField, rules: Rules, value: Value): string {
  const must = (what: string): string => `${title} must be ${what}${unit && ` ${unit}`}.`;
  if (rules.type === 'number' || rules.type === 'integer') {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return `${title} must be ${rules.type === 'integer' ? 'a whole number' : 'a number'}.`;
    }
    if (rules.type === 'integer' && !Number.isInteger(value)) {
      return `${title} must be a whole number.`;
    }
  } else if (typeof value !== rules.type) {
    return `${title} must be ${rules.type === 'boolean' ? 'yes or no' : 'a text'}.`;
  }
  if (rules.choices && !rules.choices.includes(value as Scalar)) {
    return `${title} must be one of ${rules.choices.join(', ')}.`;
  }
  if (typeof value === 'number') {
    if (rules.minimum !== undefined && value < rules.minimum) {
      return must(`at least ${rules.minimum}`);
    }
    if (rules.maximum !== undefined && value > rules.maximum) {
      return must(`at most ${rules.maximum}`);
    }
    if (rules.exclusiveMinimum !== undefined && value <= rules.exclusiveMinimum) {
      return must(`above ${rules.exclusiveMinimum}`);
    }
    if (rules.exclusiveMaximum !== undefined && value >= rules.exclusiveMaximum) {
      return must(`below ${rules.exclusiveMaximum}`);
    }
    if (rules.multipleOf !== undefined && !Number.isInteger(value / rules.multipleOf)) {
      return must(`a multiple of ${rules.multipleOf}`);
    }
  }
  if (typeof value === 'string') {
    const length = [...value].length;
    if (rules.minLength !== undefined && length < rules.minLength) {
      return `${title} must have at least ${many(rules.minLength, 'character')}.`;
    }
    if (rules.maxLength !== undefined && length > rules.maxLength) {
      return `${title} must have at most ${many(rules.maxLength, 'character')}.`;
    }
    if (rules.pattern && !matches(rules.pattern, value)) {
      return `${title} does not have the expected form.`;
    }
  }
  return '';
}

/** A pattern that only the service's language knows is left to the service. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}

/** What was typed for several values: separated by commas, or a line each for texts. Empty: nothing was given. */
export function listOf(field: FormField, text: string): Scalar[] | undefined {
  const parts = text
    .split(field.type === 'string' ? '\n' : /[,;\s]+/)
    .map(part => part.trim())
    .filter(Boolean);
  if (parts.length === 0) {
    return field.required ? undefined : [];
  }
  return field.type === 'string' ? parts : parts.map(part => (part === '' ? NaN : Number(part)));
}

export function listText(field: FormField, value: Value | undefined): string {
  return Array.isArray(value) ? value.map(String).join(field.type === 'string' ? '\n' : ', ') : '';
}
