"""The one exception of this library: a stable code, a sentence, and what would make it right."""

from __future__ import annotations

from typing import Any


class VoxelHubError(Exception):
    """A refusal or failure. `code` is stable, `sentence` says what happened, `fix` what to do about it."""

    def __init__(self, code: str, sentence: str, fix: str = "") -> None:
        super().__init__(f"{sentence} {fix}".strip())
        self.code, self.sentence, self.fix = code, sentence, fix

    def _render_traceback_(self) -> list[str]:
        """IPython shows the sentence instead of a page of traceback."""
        lines = [f"VoxelHubError [{self.code}]: {self.sentence}"]
        return [*lines, f"→ {self.fix}"] if self.fix else lines


def from_problem(status: int, body: Any) -> VoxelHubError:
    """The error of an answer of the service: its problem document (RFC 9457), or a sentence for its status."""
    if isinstance(body, dict) and isinstance(body.get("code"), str) and isinstance(body.get("detail"), str):
        return VoxelHubError(body["code"], body["detail"], str(body.get("fix") or ""))
    if status in (502, 503, 504):
        return VoxelHubError("unavailable", "VoxelHub's service does not answer at the moment.", "Try again in a minute.")
    return VoxelHubError(f"http_{status}", f"VoxelHub's service refused this request (status {status}).")
