"""What .ci/run says of the tests on Kubernetes holds for those of the images too; `make test-kubernetes` runs them last."""

from __future__ import annotations

import os
import time

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.get_closest_marker("kubernetes"):
        return
    if reason := os.environ.get("VOXELHUB_KUBERNETES_SKIP"):
        pytest.skip(reason)
    if time.time() > float(os.environ.get("VOXELHUB_KUBERNETES_UNTIL", "inf")):
        pytest.skip("The time for the tests on Kubernetes was over before this one.")
