"""What the hub of a cluster asks the service: folders of projects before a pod mounts them, and to keep what servers used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings
from voxelhub_service.trust import trusted
from voxelhub_spawner.shared import Shared

PATIENCE = 20.0  # seconds that a start waits, as for a service that is started again


class ServiceSilent(RuntimeError):
    """The service did not do it; the text says why."""


class ServiceClient(Shared):
    def __init__(self, api_url: str, token: str, patience: float = PATIENCE) -> None:
        self._url, self._token, self._patience = f"{api_url}/internal", token, patience

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(f"{settings.service_url}/api/v1", read_secret(settings.secrets_dir, "events-token"))

    async def ensure_projects(self, names: list[str]) -> None:
        """Waits for a service that is away or failing; raises ServiceSilent. Idempotent."""
        deadline = time.monotonic() + self._patience
        while names:
            try:
                await self._post("projects", {"projects": names})
                break
            except _Later as later:
                if time.monotonic() > deadline:
                    raise ServiceSilent(str(later)) from None
            await asyncio.sleep(0.5)

    async def charge(self, record: Mapping[str, Any]) -> None:
        """What a server used since it was started; raises ServiceSilent, and the next record holds it too."""
        await self._post("servers", {"servers": [dict(record)]})

    async def _post(self, what: str, body: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with httpx.AsyncClient(trust_env=False, verify=trusted(), timeout=10, headers=headers) as client:
                answer = await client.post(f"{self._url}/{what}", json=body)
        except httpx.HTTPError as error:
            raise _Later(f"The service does not answer ({type(error).__name__}).") from None
        if answer.status_code >= 500:
            raise _Later(f"The service failed ({answer.status_code}): {_detail(answer)}")
        if not answer.is_success:
            raise ServiceSilent(f"The service refused ({answer.status_code}): {_detail(answer)}")


class _Later(ServiceSilent):
    """May go well when it is asked again."""


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
