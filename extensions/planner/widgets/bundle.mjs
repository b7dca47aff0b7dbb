// Puts the compiled views into one ES module, which anywidget and an exported page load.
import { fileURLToPath } from 'node:url';
import { rspack } from '@rspack/core';

const here = path => fileURLToPath(new URL(path, import.meta.url));

rspack(
  {
    mode: 'production',
    context: here('.'),
    entry: './lib/widget.js',
    devtool: false,
    output: {
      path: here('../voxelhub_planner_widgets/static'),
      filename: 'planner-views.js',
      library: { type: 'module' },
      module: true,
      chunkFormat: 'module'
    },
    performance: { hints: false }
  },
  (error, stats) => {
    if (error || stats.hasErrors()) {
      console.error(error ?? stats.toString({ all: false, errors: true }));
      process.exit(1);
    }
  }
);
