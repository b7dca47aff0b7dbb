"""Objects that configuration hands around without copying them."""

from __future__ import annotations

from typing import Any, Self


class Shared:
    """One per process. traitlets copies configuration values deeply for each configurable; this stays the same object."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
