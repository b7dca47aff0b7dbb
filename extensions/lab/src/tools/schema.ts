/** The part of JSON Schema 2020-12 that a tool's arguments use, as fields of a form. The service checks the whole. */

export type Value = string | number | boolean;

export interface FormField {
  name: string;
  title: string;
  description: string;
  type: 'string' | 'number' | 'integer' | 'boolean' | 'enum';
  required: boolean;
  initial: Value | undefined;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  step?: number;
  maxLength?: number;
  pattern?: string;
  choices?: Value[];
}

interface Property {
  type?: string;
  title?: string;
  description?: string;
  default?: Value;
  enum?: Value[];
  const?: Value;
  oneOf?: { const: Value; title?: string }[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  maxLength?: number;
  pattern?: string;
}

export function fieldsOf(schema: Record<string, unknown>): FormField[] {
  const properties = (schema['properties'] ?? {}) as Record<string, Property>;
  const required = new Set((schema['required'] ?? []) as string[]);
  return Object.entries(properties).map(([name, property]) => {
    const choices = property.enum ?? property.oneOf?.map(option => option.const);
    const type = choices ? 'enum' : ((property.type as FormField['type'] | undefined) ?? 'string');
    return {
      name,
      type,
      choices,
      title: property.title ?? name,
      description: property.description ?? '',
      required: required.has(name),
      initial: property.default ?? (type === 'boolean' ? false : undefined),
      minimum: property.minimum,
      maximum: property.maximum,
      exclusiveMinimum: property.exclusiveMinimum,
      exclusiveMaximum: property.exclusiveMaximum,
      step: property.multipleOf,
      maxLength: property.maxLength,
      pattern: property.pattern
    };
  });
}

export function initialValues(fields: readonly FormField[]): Record<string, Value> {
  return Object.fromEntries(
    fields.flatMap(field => (field.initial === undefined ? [] : [[field.name, field.initial]]))
  );
}

/** What is wrong with a value, as a sentence; empty when nothing is. */
export function complaint(field: FormField, value: Value | undefined): string {
  if (value === undefined || value === '') {
    return field.required ? 'Needed.' : '';
  }
  if (field.type === 'number' || field.type === 'integer') {
    const number = Number(value);
    if (!Number.isFinite(number)) {
      return 'A number.';
    }
    if (field.type === 'integer' && !Number.isInteger(number)) {
      return 'A whole number.';
    }
    if (field.minimum !== undefined && number < field.minimum) {
      return `At least ${field.minimum}.`;
    }
    if (field.maximum !== undefined && number > field.maximum) {
      return `At most ${field.maximum}.`;
    }
    if (field.exclusiveMinimum !== undefined && number <= field.exclusiveMinimum) {
      return `Above ${field.exclusiveMinimum}.`;
    }
    if (field.exclusiveMaximum !== undefined && number >= field.exclusiveMaximum) {
      return `Below ${field.exclusiveMaximum}.`;
    }
  }
  if (field.type === 'string') {
    if (field.maxLength !== undefined && String(value).length > field.maxLength) {
      return `At most ${field.maxLength} characters.`;
    }
    if (field.pattern && !new RegExp(field.pattern, 'u').test(String(value))) {
      return 'Not in the expected form.';
    }
  }
  return '';
}
