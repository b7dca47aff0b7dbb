"""A short-lived access token of the identity provider, for other services of the institution."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from . import client


@dataclass(frozen=True)
class AccessToken:
    """Use `.value` in an Authorization header; it is not shown, and good until `expires_at`."""

    value: str = field(repr=False)
    expires_at: datetime

    @property
    def expired(self) -> bool:
        return datetime.now(UTC) >= self.expires_at

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.value}"}


def access_token() -> AccessToken:
    """A fresh one at each call; each issue is written to the audit log. Do not keep it: ask again.

        httpx.get("https://archive.example.org/studies", headers=voxelhub.access_token().headers)
    """
    answer = client.request("POST", "tokens/access")
    return AccessToken(answer["access_token"], datetime.fromisoformat(answer["expires_at"]))
