"""`python tests/support/openapi.py`: prints the service's OpenAPI document, for `make types`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.service import TableIdentity, make_test_context
from voxelhub_service.api.app import create_app

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(make_test_context(Path(folder)), TableIdentity({}))
        print(json.dumps(app.openapi(), indent=1, sort_keys=True))
