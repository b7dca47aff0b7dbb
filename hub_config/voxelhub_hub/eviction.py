"""Who lost the right to be here is out, and so is what they started: browser idle or not, kernel computing or not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from .claims import projects_of
from .standing import Standing, Standings

log = logging.getLogger("voxelhub.eviction")
EVERY = 10.0  # seconds between two looks
PATIENCE = 60.0  # seconds that a server may be busy starting or stopping before it is left to the next look


class Evictions:
    """Stops servers of people who were disabled, deleted or left a group.

    `app` is the running JupyterHub. `recent(user name)` says who was here lately; `stands(user name)` is told who may be.
    """

    def __init__(self, app: Any, standings: Standings, report: Callable[..., None],
                 recent: Callable[[str], bool], stands: Callable[[str], None]) -> None:
        self.app, self.standings, self.report, self.recent, self.stands = app, standings, report, recent, stands
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping: set[tuple[str, str]] = set()

    def start(self) -> None:
        self._keep(self._forever())

    async def _forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception:
                log.exception("looking at running servers failed; trying again")

    async def look(self) -> None:
        """Ask about everyone who has a server or was here lately, also when neither browser nor server says anything."""
        for user in [u for u in self.app.users.values() if active_servers(u) or self.recent(u.name)]:
            try:
                standing = await self.standings.of(await subject_of(user), user.name)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                log.warning("Keycloak does not say how people stand (%s); nobody is judged now", type(error).__name__)
                return
            self.judge(user, standing)

    def judge(self, user: Any, standing: Standing) -> None:
        """Bring a user's groups and servers in line with what the identity provider says now."""
        if not standing.allowed:
            self.evict(user, standing.reason)
            return
        self.stands(user.name)
        roles = {g.name for g in user.groups if g.name.startswith("role:")}
        groups = set(standing.groups) | roles
        user.sync_groups(groups)
        self.stop_without_project(user, groups)

    def evict(self, user: Any, reason: str) -> None:
        """Out: no group is left, so the service refuses too, and each server is ended."""
        had_groups = bool(user.groups)
        user._auth_refreshed = None
        user.sync_groups(set())
        names = active_servers(user)
        if had_groups or names:
            self.report(user.name, "user.evict", f"user:{user.name}", "success", {"reason": reason, "servers": len(names)})
        for name in names:
            self._keep(self._stop(user, name, reason))

    def stop_without_project(self, user: Any, groups: Iterable[str]) -> None:
        """End the servers that mount a project which these groups do not grant any more."""
        granted = set(projects_of(user.name, groups))
        for name in active_servers(user):
            lost = set(user.spawners[name].projects) - granted
            if lost and (user.name, name) not in self._stopping:
                self.report(user.name, "server.evict", f"server:{user.name}/{name}", "success", {"projects_lost": sorted(lost)})
                self._keep(self._stop(user, name, f"lost {', '.join(sorted(lost))}"))

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self, user: Any, name: str, reason: str) -> None:
        if (user.name, name) in self._stopping:
            return
        self._stopping.add((user.name, name))
        try:
            log.warning("stopping the server %s/%s: %s", user.name, name, reason)
            await stop_server(self.app, user, name)
        except Exception:
            log.exception("the server %s/%s could not be stopped; trying again at the next look", user.name, name)
        finally:
            self._stopping.discard((user.name, name))


def active_servers(user: Any) -> list[str]:
    return [name for name, spawner in user.spawners.items() if spawner.active]


async def subject_of(user: Any) -> str:
    """The person's `sub` at the identity provider, or an empty string when it is not known any more."""
    state = await user.get_auth_state()
    return str(((state or {}).get("oauth_user") or {}).get("sub", ""))


async def stop_server(app: Any, user: Any, name: str) -> None:
    """As the hub's own handler does, without a request: out of the proxy, process ended. Waits for a pending start."""
    spawner = user.spawners[name]
    for _ in range(int(PATIENCE * 10)):
        if not spawner.pending:
            break
        await asyncio.sleep(0.1)
    if spawner.pending or not spawner.active:
        return
    spawner._stop_pending = True
    try:
        try:
            await app.proxy.delete_user(user, name)
        except Exception:
            log.exception("the proxy still has a route to %s/%s", user.name, name)
        await user.stop(name)
    finally:
        spawner._stop_pending = False
