/** A React component as a Lab widget that survives an error inside it. */
import { ReactWidget, type LabIcon } from '@jupyterlab/ui-components';
import { Component, type ReactNode } from 'react';

import { Button, Notice } from './components';

class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    if (!this.state.broken) {
      return this.props.children;
    }
    const again = <Button label="Show again" kind="quiet" onClick={() => this.setState({ broken: false })} />;
    return (
      <Notice kind="error" action={again}>
        This panel had to stop. Your data is safe.
      </Notice>
    );
  }
}

export class PanelWidget extends ReactWidget {
  constructor(
    options: { id: string; title: string; caption?: string; icon: LabIcon; closable?: boolean },
    private readonly content: () => JSX.Element
  ) {
    super();
    this.id = options.id;
    this.title.icon = options.icon;
    this.title.label = options.closable ? options.title : '';
    this.title.caption = options.caption ?? options.title;
    this.title.closable = options.closable ?? false;
    this.addClass('vx-Root');
    this.addClass('vx-Panel');
    this.node.setAttribute('aria-label', options.title);
    this.node.setAttribute('role', 'region');
  }

  protected override render(): JSX.Element {
    return <Boundary>{this.content()}</Boundary>;
  }
}
