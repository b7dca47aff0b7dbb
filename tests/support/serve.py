"""The real `python -m voxelhub_service.api` with one part replaced: a table of tokens stands in for hub and Keycloak."""

import sys

from support.service import ACTORS, TableIdentity
from voxelhub_service.api import __main__ as api

if __name__ == "__main__":
    api.make_identity = lambda settings, hub: TableIdentity(ACTORS)  # type: ignore[assignment,return-value]
    sys.exit(api.main())
