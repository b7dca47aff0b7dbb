/** The columns of the workspace table. */
import type { Core } from '../core';
import type { Entry } from '../shared/types';
import { bytes, count, moment, termTitle } from '../shared/format';
import { Flagged } from './flags';
import { Icon, type IconName } from '../shared/icons';

export interface Column {
  id: string;
  title: string;
  /** Track of a CSS grid. */
  width: string;
  sortable: boolean;
  numeric?: boolean;
  cell: (entry: Entry, core: Core) => React.ReactNode;
}

const KIND_ICON: Record<Entry['kind'], IconName> = {
  series: 'datasets',
  volume: 'datasets',
  image: 'eye',
  table: 'workspace',
  text: 'text',
  file: 'text'
};

/** A result of a batch, `<batch> · <item>`, by its item: forty that begin alike would all be cut alike. */
function place(entry: Entry): string {
  const [batch, ...item] = entry.dataset_title.split(' · ');
  return entry.execution && item.length > 0 ? `${item.join(' · ')} · ${batch}` : entry.dataset_title;
}

function projectTitle(core: Core, name: string): string {
  return core.me.get()?.projects.find(project => project.name === name)?.title || name;
}

export const COLUMNS: readonly Column[] = [
  {
    id: 'name',
    title: 'Name',
    width: 'minmax(130px, 3fr)',
    sortable: true,
    cell: entry => (
      <span className="vx-Name" title={entry.name}>
        <Icon name={KIND_ICON[entry.kind]} />
        <span>{entry.name}</span>
        <Flagged entry={entry} />
        {entry.n_files > 1 && <small>{count(entry.n_files, 'file')}</small>}
      </span>
    )
  },
  {
    id: 'data_type',
    title: 'Data type',
    width: 'minmax(76px, 1.3fr)',
    sortable: true,
    cell: (entry, core) => termTitle(core.vocabulary.get(), 'data_types', entry.data_type)
  },
  {
    id: 'file_format',
    title: 'Format',
    width: 'minmax(62px, 0.9fr)',
    sortable: true,
    cell: (entry, core) => termTitle(core.vocabulary.get(), 'file_formats', entry.file_format)
  },
  {
    id: 'project',
    title: 'Project',
    width: 'minmax(62px, 0.9fr)',
    sortable: false,
    cell: (entry, core) => projectTitle(core, entry.project)
  },
  {
    id: 'dataset',
    title: 'Dataset',
    width: 'minmax(96px, 1.6fr)',
    sortable: false,
    cell: entry => (
      <span className="vx-Name" title={`${entry.dataset_title}, version ${entry.version}`}>
        <span>{place(entry)}</span>
        <small>v{entry.version}</small>
      </span>
    )
  },
  {
    id: 'execution',
    title: 'Execution',
    width: 'minmax(66px, 0.7fr)',
    sortable: true,
    cell: entry => entry.execution || '–'
  },
  {
    id: 'size',
    title: 'Size',
    width: '70px',
    sortable: true,
    numeric: true,
    cell: entry => bytes(entry.size)
  },
  {
    id: 'created_at',
    title: 'Date',
    width: '118px',
    sortable: true,
    cell: entry => <time dateTime={entry.created_at}>{moment(entry.created_at)}</time>
  }
];

/** Check box, columns, menu. */
export const TEMPLATE = `26px ${COLUMNS.map(column => column.width).join(' ')} 28px`;
