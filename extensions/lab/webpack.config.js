// Merged into the Lab builder's own configuration.
const { DefinePlugin } = require('@rspack/core');

module.exports = {
  resolve: { fallback: { module: false, fs: false, path: false, url: false, crypto: false, child_process: false } },
  // Without this, chunks carry the address of the folder they were built in.
  plugins: [new DefinePlugin({ 'import.meta.url': 'self.location.href' })]
};
