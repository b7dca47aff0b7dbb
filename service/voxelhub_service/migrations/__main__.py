"""`python -m voxelhub_service.migrations`: brings the database to this version's tables and ends; before the service, in its pod.

A database that is only starting is waited for. What waiting does not mend (a password, a name, a server that is too old) is
said when the patience is over, in the server's own words.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ..database_place import about, place, require_pod
from ..settings import Settings, SettingsError, load_settings
from . import head, known, upgrade

PATIENCE, PAUSE = 120.0, 2.0  # seconds


def main() -> int:
    try:
        settings = load_settings()
        require_pod(settings, ())
        bring(settings, lambda sentence: print(f"voxelhub migrations: {sentence}", file=sys.stderr, flush=True))
    except SettingsError as error:
        print(f"voxelhub migrations: {error}", file=sys.stderr)
        return 1
    return 0


def bring(settings: Settings, tell: Callable[[str], None], patience: float = PATIENCE) -> None:
    """Raises SettingsError where the database did not answer in time, does not suit, or is of a newer version."""
    before = _await(settings, tell, patience)
    if before not in known():
        raise SettingsError(f"The {place(settings)} has the tables {before} of a newer version. Install that version again "
                            "(helm rollback does not turn tables back), or restore a backup.")
    upgrade(settings)
    tell(f"the tables are those of this version ({head()})." if before == head() else
         f"the tables were brought from {before or 'nothing'} to {head()}.")


def _await(settings: Settings, tell: Callable[[str], None], patience: float) -> str:
    """The revision of the tables, as soon as the database answers."""
    deadline, told = time.monotonic() + patience, False
    while True:
        try:
            return about(settings).revision if settings.database_url or settings.database_file.exists() else ""
        except SettingsError as error:
            if time.monotonic() + PAUSE > deadline or "does not answer" not in str(error):
                raise
            if not told:
                tell(f"waits up to {patience:.0f} s. {error}")
            told = True
        time.sleep(PAUSE)


if __name__ == "__main__":
    sys.exit(main())
