// The chosen plan as a table, and the front as one: for whoever reads rather than looks.
import { button, h, head, row } from './dom';
import { detailsOf } from './plan';
import type { Session } from './session';
import { count, duration, money, percent, whole } from './text';

const PAGE = 50; // rows shown at a time

export class PlanTable {
  readonly element: HTMLElement;
  private readonly place = h('div', {
    class: 'scroll',
    tabindex: 0,
    role: 'region',
    'aria-label': 'The chosen plan, fragment by fragment'
  });
  private rows = PAGE;

  constructor(private readonly session: Session) {
    this.element = h(
      'section',
      { class: 'card wide', 'aria-labelledby': 'table-title' },
      h('h3', { id: 'table-title' }, 'The chosen plan, fragment by fragment'),
      this.place
    );
    session.drawOn(['study', 'selected'], () => {
      this.rows = PAGE;
      this.draw();
    });
    this.draw();
  }

  private draw(): void {
    const { plan, study } = this.session;
    this.element.hidden = !plan;
    if (!plan) return;
    const details = detailsOf(study, plan);
    const number = (column: number): boolean => [1, 2, 6, 7].includes(column);
    const shown = details.rows.slice(0, this.rows);
    const table = h(
      'table',
      {},
      head(['Slide', 'Fragment', 'Patches', 'Node', 'Trust domain', 'Location', 'Seconds', 'USD'], number),
      h(
        'tbody',
        {},
        ...shown.map(one =>
          row(
            [
              one.slide.title,
              String(one.fragment + 1),
              whole(one.patches),
              one.node.id,
              `${one.node.trust_domain}${one.node.trusted ? ' (trusted)' : ''}`,
              one.node.location,
              one.seconds.toFixed(1),
              one.usd.toFixed(6)
            ],
            number
          )
        )
      ),
      h(
        'tfoot',
        {},
        details.rounding_usd > 5e-7 &&
          row(
            ['Billing periods and minimum charges', '', '', '', '', '', '', details.rounding_usd.toFixed(6)],
            number
          ),
        row(
          [
            'In all',
            whole(details.rows.length),
            whole(details.patches),
            count(plan.nodes, 'untrusted node'),
            '',
            '',
            `done after ${plan.makespan_s.toFixed(1)}`,
            plan.cost_usd.toFixed(6)
          ],
          number
        )
      )
    );
    this.place.replaceChildren(table, ...this.more(details.rows.length));
  }

  private more(total: number): HTMLElement[] {
    if (total <= this.rows) return [];
    const next = Math.min(total - this.rows, 200);
    return [
      h(
        'p',
        { class: 'note' },
        `${this.rows} of ${count(total, 'row')} are shown; the CSV file has them all. `
      ),
      button(`Show ${next} more`, () => {
        this.rows += next;
        this.draw();
      })
    ];
  }
}

export class FrontTable {
  readonly element: HTMLDetailsElement;
  private readonly place = h('div', { class: 'scroll' });
  private page = 0;

  constructor(private readonly session: Session) {
    this.element = h('details', { class: 'card wide' }, h('summary', {}, 'All plans as a table'), this.place);
    this.element.addEventListener('toggle', () => this.draw());
    session.listen(change => {
      if (change === 'limits' || change === 'study') this.page = 0;
    });
    session.drawOn(['study', 'limits', 'selected'], () => this.draw());
  }

  private draw(): void {
    if (!this.element.open) return;
    const { figures, mask } = this.session;
    const kept = [...figures.byTime].filter(plan => mask[plan]);
    const number = (column: number): boolean => column > 0 && column < 8;
    const focused = (this.element.getRootNode() as ShadowRoot).activeElement?.getAttribute('aria-label');
    const shown = kept.slice(this.page * PAGE, (this.page + 1) * PAGE);
    this.place.replaceChildren(
      h(
        'table',
        {},
        h('caption', {}, `${count(kept.length, 'plan')} that keep to your limits, the fastest first`),
        head(
          ['Plan', 'Nodes', 'USD', 'Time', 'Proven bound, USD', 'Gap', 'Share', 'Pair leakage', 'Choose'],
          number
        ),
        h('tbody', {}, ...shown.map(plan => row(this.cells(plan), number)))
      ),
      this.pages(kept.length)
    );
    if (focused) this.place.querySelector<HTMLElement>(`button[aria-label="${focused}"]`)?.focus();
  }

  private cells(plan: number): (string | HTMLElement)[] {
    const one = this.session.study.front.plans[plan]!;
    const chosen = plan === this.session.selected;
    const choose = button(chosen ? 'chosen' : 'choose', () => this.session.select(plan), {
      'aria-pressed': String(chosen),
      'aria-label': `Choose plan ${plan + 1}`
    });
    const leak = one.leakage ? percent(one.leakage.worst_pair) : 'not known';
    return [
      String(plan + 1),
      String(one.nodes),
      money(one.cost_usd).replace(' USD', ''),
      duration(one.makespan_s),
      money(one.lower_bound_usd).replace(' USD', ''),
      percent(one.gap),
      percent(one.largest_share),
      leak,
      choose
    ];
  }

  private pages(total: number): HTMLElement {
    const last = Math.max(Math.ceil(total / PAGE) - 1, 0);
    const turn = (step: number) => () => {
      this.page = Math.min(Math.max(this.page + step, 0), last);
      this.draw();
    };
    return h(
      'div',
      { class: 'pages', hidden: last === 0 },
      button('Earlier', turn(-1), { disabled: this.page === 0 }),
      ` Page ${this.page + 1} of ${last + 1} `,
      button('Later', turn(1), { disabled: this.page === last })
    );
  }
}
