/** Opens .nii and .nii.gz files of the file browser; the bytes are fetched, never put through the contents model. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  ABCWidgetFactory,
  Base64ModelFactory,
  DocumentWidget,
  type DocumentRegistry
} from '@jupyterlab/docregistry';
import { ServerConnection, type Contents } from '@jupyterlab/services';

import { ApiError } from '../shared/api';
import { labIcon } from '../shared/icons';
import { PanelWidget } from '../shared/widget';
import { readAll } from './fetch';
import { VolumeView, type VolumeSource } from './volume';

const FILE_TYPE = 'voxelhub-nifti';
const MODEL = 'voxelhub-nifti-reference';

/** Without a format, Lab asks for a file's metadata only. */
class ReferenceModelFactory extends Base64ModelFactory {
  override get name(): string {
    return MODEL;
  }

  override get fileFormat(): Contents.FileFormat {
    return null;
  }
}

class NiftiFactory extends ABCWidgetFactory<DocumentWidget<PanelWidget>> {
  constructor(
    options: DocumentRegistry.IWidgetFactoryOptions,
    private readonly contents: Contents.IManager
  ) {
    super(options);
  }

  protected override createNewWidget(context: DocumentRegistry.Context): DocumentWidget<PanelWidget> {
    const name = context.path
      .split('/')
      .pop()!
      .replace(/\.nii(\.gz)?$/, '');
    const source: VolumeSource = {
      name,
      load: async onProgress => {
        const url = await this.contents.getDownloadUrl(context.path);
        const response = await ServerConnection.makeRequest(url, {}, ServerConnection.makeSettings());
        if (!response.ok) {
          throw new ApiError(response.status, 'unreadable', 'This file cannot be read.');
        }
        return readAll(response, onProgress);
      }
    };
    const sources = [source];
    const content = new PanelWidget(
      { id: `voxelhub-nifti-${context.path}`, title: name, icon: labIcon('eye') },
      () => <VolumeView sources={sources} />
    );
    return new DocumentWidget({ content, context });
  }
}

/** File type, model without content, and viewer. */
export function registerNifti(app: JupyterFrontEnd): void {
  const registry = app.docRegistry;
  registry.addFileType({
    name: FILE_TYPE,
    displayName: 'NIfTI volume',
    extensions: ['.nii', '.nii.gz'],
    mimeTypes: ['application/x-nifti'],
    fileFormat: 'base64',
    contentType: 'file',
    icon: labIcon('datasets')
  });
  registry.addModelFactory(new ReferenceModelFactory());
  registry.addWidgetFactory(
    new NiftiFactory(
      {
        name: 'VoxelHub viewer',
        modelName: MODEL,
        fileTypes: [FILE_TYPE],
        defaultFor: [FILE_TYPE],
        readOnly: true
      },
      app.serviceManager.contents
    )
  );
}
