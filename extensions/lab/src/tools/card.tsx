/** One tool: what it does, whether it fits the selection, and its form. */
import { useMemo, useState } from 'react';

import type { Core } from '../core';
import { asProblem, type ApiError } from '../shared/api';
import type { Entry, Run, Tool } from '../shared/types';
import { Button, Field, ProblemNotice } from '../shared/components';
import { bytes, duration, termTitle } from '../shared/format';
import { useStore } from '../shared/store';
import { writableProjects } from '../uploads/target';
import { SchemaForm } from './form';
import { complaint, fieldsOf, initialValues } from './schema';

function Inputs({
  core,
  tool,
  selection
}: {
  core: Core;
  tool: Tool;
  selection: readonly Entry[];
}): JSX.Element {
  const vocabulary = useStore(core.vocabulary);
  const name = (id: string): string => selection.find(entry => entry.id === id)?.name ?? id;
  return (
    <ul className="vx-ToolInputs">
      {tool.inputs.map(input => {
        const given = tool.assignment[input.name] ?? [];
        const formats = new Set(input.accepts.map(a => termTitle(vocabulary, 'file_formats', a.file_format)));
        const types = input.accepts.map(a =>
          a.data_type === '*' ? 'any' : termTitle(vocabulary, 'data_types', a.data_type)
        );
        return (
          <li key={input.name} title={input.description}>
            <span>{input.title}</span>
            {given.length > 0 ? (
              <strong>{given.map(name).join(', ')}</strong>
            ) : (
              <small title={types.join(', ')}>{[...formats].join(', ')}</small>
            )}
          </li>
        );
      })}
    </ul>
  );
}

export function ToolCard({
  core,
  tool,
  selection,
  onStarted
}: {
  core: Core;
  tool: Tool;
  selection: readonly Entry[];
  onStarted: (run: Run) => void;
}): JSX.Element {
  const fields = useMemo(() => fieldsOf(tool.arguments), [tool.digest]);
  const [open, setOpen] = useState(false);
  const [values, setValues] = useState(() => initialValues(fields));
  const [title, setTitle] = useState('');
  const [target, setTarget] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const projects = writableProjects(core);
  const source = selection[0]?.project ?? '';
  const project = target || (projects.some(p => p.name === source) ? source : (projects[0]?.name ?? ''));
  const wrong = fields.some(field => complaint(field, values[field.name]));
  const run = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const order = {
        tool: tool.name,
        version: tool.version,
        project,
        inputs: tool.assignment,
        arguments: values,
        output_title: title.trim() || undefined
      };
      onStarted(await core.api.startRun(order, crypto.randomUUID()));
      setOpen(false);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  return (
    <li
      className={`vx-Card${tool.eligible ? '' : ' vx-mod-unfit'}`}
      data-testid={`tool-${tool.name}`}
      data-eligible={tool.eligible}
    >
      <h4>
        {tool.title} <small>{tool.version}</small>
      </h4>
      <p>{tool.description}</p>
      <Inputs core={core} tool={tool} selection={selection} />
      {!tool.eligible && selection.length > 0 && <p className="vx-Reason">{tool.reason}</p>}
      <p className="vx-Keywords">
        {tool.keywords.map(keyword => (
          <span key={keyword}>{keyword}</span>
        ))}
      </p>
      {open && tool.eligible && (
        <>
          <SchemaForm fields={fields} values={values} onChange={setValues} />
          <Field label="Title of the result (optional)">
            {ids => (
              <input
                {...ids}
                className="vx-Input"
                data-testid="output-title"
                value={title}
                maxLength={200}
                onChange={e => setTitle(e.target.value)}
              />
            )}
          </Field>
          <Field label="Result goes into">
            {ids => (
              <select {...ids} className="vx-Input" value={project} onChange={e => setTarget(e.target.value)}>
                {projects.map(p => (
                  <option key={p.id} value={p.name}>
                    {p.title || p.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <p className="vx-Muted">
            At most {duration(tool.resources.time)}, {tool.resources.cpu} CPU, {bytes(tool.resources.memory)}{' '}
            memory. No network.
          </p>
        </>
      )}
      {problem && <ProblemNotice problem={problem} />}
      {tool.eligible && (
        <div className="vx-Buttons">
          <Button
            label="Run"
            icon="play"
            kind="primary"
            testId={`run-${tool.name}`}
            disabled={busy || wrong}
            onClick={() => void run()}
          />
          <Button
            label="Options"
            icon="chevron"
            kind="quiet"
            expanded={open}
            testId={`options-${tool.name}`}
            onClick={() => setOpen(on => !on)}
          />
        </div>
      )}
    </li>
  );
}
