/** What the data is, for who knows better than its content. */
import type { Core } from '../core';
import { SelectField } from '../shared/fields';
import { useStore } from '../shared/store';

export interface Typing {
  data_type?: string;
  file_format?: string;
}

const ANY = 'Let the content decide';

export function TypingFields({
  core,
  value,
  onChange
}: {
  core: Core;
  value: Typing;
  onChange: (value: Typing) => void;
}): JSX.Element {
  const vocabulary = useStore(core.vocabulary);
  const formats = vocabulary?.data_types.find(term => term.id === value.data_type)?.formats;
  return (
    <>
      <SelectField
        label="Data type"
        value={value.data_type ?? ''}
        any={ANY}
        options={vocabulary?.data_types ?? []}
        onChange={id => onChange({ data_type: id || undefined })}
      />
      <SelectField
        label="File format"
        value={value.file_format ?? ''}
        any={ANY}
        options={(vocabulary?.file_formats ?? []).filter(
          term => !formats?.length || formats.includes(term.id)
        )}
        onChange={id => onChange({ ...value, file_format: id || undefined })}
      />
    </>
  );
}
