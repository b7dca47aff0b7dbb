/** A plan as a notebook: it loads the study and shows it with the same views. */
import type { Entry } from '../shared/types';

const KERNEL = { display_name: 'Imaging (Python)', language: 'python', name: 'imaging' };

interface Cell {
  id: string;
  cell_type: 'markdown' | 'code';
  metadata: object;
  source: string;
  outputs?: never[];
  execution_count?: null;
}

function text(id: string, source: string): Cell {
  return { id, cell_type: 'markdown', metadata: {}, source };
}

function code(id: string, source: string): Cell {
  return { id, cell_type: 'code', metadata: {}, source, outputs: [], execution_count: null };
}

/** A text as Python writes it. */
function literal(value: string): string {
  return JSON.stringify(value);
}

export function notebookName(entry: Entry): string {
  const words = entry.dataset_title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  return `${words || 'plan'}.ipynb`;
}

/** nbformat 4.5, without outputs. `plan` is the place of the chosen plan on the front. */
export function notebookOf(entry: Entry, plan: number | null): unknown {
  const cells = [
    text(
      'plan-head',
      `# ${entry.dataset_title}\n\nA study of the planner, version ${entry.version} of the dataset in the project ` +
        `${entry.project}. The next cell shows it: move the limits, choose a plan, look at what each provider would see.`
    ),
    code(
      'plan-view',
      [
        'from pathlib import Path',
        '',
        'from voxelhub_planner_widgets import StudyView',
        '',
        `path = Path(${literal(entry.path)})`,
        'view = None',
        'if path.is_file():',
        `    view = StudyView.read(path${plan === null ? '' : `, selected=${plan}`})`,
        '    display(view)',
        'else:',
        '    print(f"{path} is not in this server yet: the project came after its start.")',
        '    print("Stop and start the server (File, Hub Control Panel), then run this cell again.")'
      ].join('\n')
    ),
    text(
      'plan-next',
      'The plan that is chosen above: which node gets which fragment, what it costs and takes, and the proven bound. Choose another, then run this cell again.'
    ),
    code('plan-chosen', 'view and view.plan')
  ];
  const metadata = { kernelspec: KERNEL, language_info: { name: 'python' } };
  return { nbformat: 4, nbformat_minor: 5, metadata, cells };
}
