// Which prices the plans rest on: the list's date and source, and its nodes.
import { h, head, row } from './dom';
import type { Session } from './session';
import { count, money, percent } from './text';

export class PriceList {
  readonly element = h('details', { class: 'card wide' });

  constructor(private readonly session: Session) {
    this.element.open = session.options.showPrices ?? false;
    session.listen(change => change === 'study' && this.draw());
    this.draw();
  }

  private draw(): void {
    const { prices, nodes } = this.session.study;
    const measured = prices.measured.length;
    const number = (column: number): boolean => column >= 3 && column <= 6;
    this.element.replaceChildren(
      h(
        'summary',
        {},
        `Prices of ${prices.date}${prices.fictional ? ' (invented)' : ''}, ${count(nodes.length, 'node')}`
      ),
      h(
        'p',
        { class: 'note' },
        `${prices.source || 'The list names no source'}. ${count(prices.age_days, 'day')} old. `,
        `The speed of ${measured} (${percent(measured / Math.max(nodes.length, 1))}) of the nodes was measured; the others’ is what the list says.`
      ),
      h(
        'div',
        { class: 'scroll' },
        h(
          'table',
          {},
          head(
            ['Node', 'Trust domain', 'Location', 'USD an hour', 'Mbit/s', 'Patches/s', 'Set-up, s', 'GPU'],
            number
          ),
          h(
            'tbody',
            {},
            ...nodes
              .slice(0, 200)
              .map(node =>
                row(
                  [
                    node.id,
                    `${node.trust_domain}${node.trusted ? ' (trusted)' : ''}`,
                    node.location,
                    money(node.price_usd_per_hour).replace(' USD', ''),
                    node.uplink_mbps === null ? 'no limit' : String(node.uplink_mbps),
                    `${node.throughput_patches_per_s}${prices.measured.includes(node.id) ? ', measured' : ''}`,
                    String(node.setup_s),
                    node.gpu
                  ],
                  number
                )
              )
          )
        )
      )
    );
  }
}
