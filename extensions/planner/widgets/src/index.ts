// A study on a page: `mountStudy` draws it into an element, in a shadow tree of its own, and takes it away again.
export { mountStudy } from './mount';
export type * from './types';
