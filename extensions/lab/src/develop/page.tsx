/** Develop tools: my own, and for administrators the review. */
import { useState } from 'react';

import type { Core } from '../core';
import { Banners } from '../shared/banners';
import { Button, Notice } from '../shared/components';
import { useStore } from '../shared/store';
import type { Folders } from './folder';
import { MyTools } from './mine';
import { ReviewTools } from './review';

export function DevelopPage({
  core,
  folders,
  onTry
}: {
  core: Core;
  folders: Folders;
  onTry: () => void;
}): JSX.Element {
  const me = useStore(core.me);
  const [review, setReview] = useState(false);
  const developer = !!me && (me.admin || me.roles.includes('tool-developer'));
  return (
    <div className="vx-Page" data-testid="develop-page">
      <header className="vx-Page-head">
        <h2>Develop tools</h2>
        {me?.admin && (
          <div className="vx-Segments" role="group" aria-label="View">
            <Button label="My tools" kind="quiet" pressed={!review} onClick={() => setReview(false)} />
            <Button
              label="Review"
              kind="quiet"
              pressed={review}
              testId="develop-review"
              onClick={() => setReview(true)}
            />
          </div>
        )}
      </header>
      <Banners core={core} />
      {me && !developer && (
        <Notice kind="info">
          Only tool developers submit tools. Ask an administrator for the role <code>tool-developer</code>.
        </Notice>
      )}
      {me && developer && !review && <MyTools core={core} me={me.name} folders={folders} onTry={onTry} />}
      {me?.admin && review && <ReviewTools core={core} />}
    </div>
  );
}
