/** What the planner's panel works with: its tool, and the slides that are to be planned. */
import { ApiError, type Api } from '../shared/api';
import { Store } from '../shared/store';
import type { Entry, Tool, ToolInput } from '../shared/types';

export const TOOL = 'plan-slides';
/** The data type of what the tool makes. */
export const PLAN = 'plan';

const MOST = 200; // rows of one kind that are offered

export function takes(input: ToolInput, entry: Entry): boolean {
  return input.accepts.some(
    one =>
      (one.data_type === '*' || one.data_type === entry.data_type) &&
      (one.file_format === '*' || one.file_format === entry.file_format)
  );
}

/** Whether a row holds what the planner's views show. */
export function isPlan(entry: Entry): boolean {
  return entry.file_format === 'json' && (entry.data_type === PLAN || /(^|\/)study\.json$/.test(entry.name));
}

export class PlannerState {
  /** Null while it is not known, or where it is not installed. */
  readonly tool = new Store<Tool | null>(null);
  /** Whether the service has been asked for the tool. */
  readonly asked = new Store(false);
  readonly slides = new Store<readonly Entry[]>([]);

  constructor(private readonly api: Api) {}

  /** Asks for the tool; raises ApiError, but not where it is not installed. */
  async load(): Promise<void> {
    try {
      this.tool.set(await this.api.tool(TOOL));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) {
        throw error;
      }
      this.tool.set(null);
    }
    this.asked.set(true);
  }

  /** What it takes as slides: its first input. */
  get slideInput(): ToolInput | null {
    return this.tool.get()?.inputs[0] ?? null;
  }

  /** What it takes as a price list: its second input. */
  get priceInput(): ToolInput | null {
    return this.tool.get()?.inputs[1] ?? null;
  }

  /** Whether all of these are slides, and not too many. */
  fits(entries: readonly Entry[]): boolean {
    const input = this.slideInput;
    return (
      input !== null &&
      entries.length > 0 &&
      entries.length <= (input.maximum ?? 1) &&
      entries.every(entry => takes(input, entry))
    );
  }

  /** The rows that an input takes, newest first. `q` is a part of their names. */
  async offers(input: ToolInput, q = ''): Promise<Entry[]> {
    const pages = await Promise.all(
      input.accepts.map(one =>
        this.api.entries({
          q,
          data_type: one.data_type === '*' ? undefined : one.data_type,
          file_format: one.file_format === '*' ? undefined : one.file_format,
          sort: '-created_at',
          limit: MOST
        })
      )
    );
    const found = new Map(pages.flatMap(page => page.items).map(entry => [entry.id, entry]));
    return [...found.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  /** The plan that a run made; null where it made none. */
  async planOf(run: string): Promise<Entry | null> {
    return (await this.api.entries({ run, limit: 50 })).items.find(isPlan) ?? null;
  }
}
