/** Floor and ceiling, or a fixed number: of a new cluster and of one that runs. */
import { CheckField, NumberField } from '../shared/fields';

export interface SizeWanted {
  adaptive: boolean;
  minimum: number;
  maximum: number;
  workers: number;
}

function whole(value: number, least: number, most: number): string {
  return Number.isInteger(value) && value >= least && value <= most
    ? ''
    : `Write a whole number from ${least} to ${most}.`;
}

/** What is wrong with it, field by field; empty texts where nothing is. */
export function sizeComplaints(
  size: SizeWanted,
  ceiling: number
): { minimum: string; maximum: string; workers: string } {
  if (!size.adaptive) {
    return { minimum: '', maximum: '', workers: whole(size.workers, 0, ceiling) };
  }
  const minimum = whole(size.minimum, 0, ceiling);
  const maximum = whole(size.maximum, 1, ceiling);
  const crossed = !minimum && !maximum && size.minimum > size.maximum;
  return { minimum: crossed ? 'The floor is above the ceiling.' : minimum, maximum, workers: '' };
}

export function sizeWrong(size: SizeWanted, ceiling: number): boolean {
  return Object.values(sizeComplaints(size, ceiling)).some(Boolean);
}

/** As the service wants it. */
export function sizeBody(size: SizeWanted): {
  adaptive: boolean;
  minimum: number;
  maximum: number;
  workers?: number;
} {
  return size.adaptive
    ? { adaptive: true, minimum: size.minimum, maximum: size.maximum }
    : { adaptive: false, minimum: 0, maximum: Math.max(1, size.workers), workers: size.workers };
}

export function SizeFields({
  size,
  ceiling,
  onChange
}: {
  size: SizeWanted;
  ceiling: number;
  onChange: (size: SizeWanted) => void;
}): JSX.Element {
  const wrong = sizeComplaints(size, ceiling);
  const set = (change: Partial<SizeWanted>): void => onChange({ ...size, ...change });
  return (
    <>
      <CheckField
        label="Grow and shrink with the work"
        hint="Workers come while tasks wait and leave one by one when nothing is left for them."
        testId="cluster-adaptive"
        value={size.adaptive}
        onChange={adaptive => set({ adaptive })}
      />
      {size.adaptive ? (
        <div className="vx-Form-columns">
          <NumberField
            label="At least"
            hint={
              size.minimum > 0
                ? 'Kept ready, and paid, all the time it is open.'
                : 'With 0, the first task waits for a worker.'
            }
            error={wrong.minimum}
            testId="cluster-minimum"
            value={size.minimum}
            minimum={0}
            maximum={ceiling}
            onChange={minimum => set({ minimum })}
          />
          <NumberField
            label="At most"
            hint={`One cluster may have ${ceiling} here.`}
            error={wrong.maximum}
            testId="cluster-maximum"
            value={size.maximum}
            minimum={1}
            maximum={ceiling}
            onChange={maximum => set({ maximum })}
          />
        </div>
      ) : (
        <NumberField
          label="Workers"
          hint={`One cluster may have ${ceiling} here.`}
          error={wrong.workers}
          testId="cluster-fixed"
          value={size.workers}
          minimum={0}
          maximum={ceiling}
          onChange={workers => set({ workers })}
        />
      )}
    </>
  );
}
