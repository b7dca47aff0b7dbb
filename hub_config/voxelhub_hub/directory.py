"""The realm's users and groups by Keycloak's admin REST: what `voxelhub user` and the first start are made of."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings
from voxelhub_service.trust import trusted

from . import realm
from .refusal import Refusal

USER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
PATIENCE = httpx.Timeout(240, connect=10)  # on a busy machine a realm with its keys takes longer than half a minute to make


class DirectoryError(Refusal):
    """Keycloak refused or does not answer; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    first: str
    last: str
    email: str
    enabled: bool


def new_password() -> str:
    """100 bits in four groups that can be read aloud."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


class KeycloakAdmin:
    """Speaks as the realm's administrator. Use as a context manager; not for several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx.Client(base_url=settings.keycloak_url, timeout=PATIENCE, trust_env=False, verify=trusted())
        self._token, self._until = "", 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    # -- realm ------------------------------------------------------------------------------------------------------

    def ensure_realm(self) -> None:
        """Make the realm, or bring an existing one's settings, roles, groups and clients up to date. Users are kept."""
        document = realm.realm(self._settings, {name: read_secret(self._settings.secrets_dir, name) for name in realm.SECRETS})
        base = f"/admin/realms/{self._settings.keycloak_realm}"
        if self._call("GET", base, allow=(404,)).status_code == 404:
            self._call("POST", "/admin/realms", json=document)
            return
        self._call("PUT", base, json=realm.realm_settings(self._settings))
        for role in document["roles"]["realm"]:
            self._call("POST", f"{base}/roles", json=role, allow=(409,))
        for group in document["groups"]:
            self._call("POST", f"{base}/groups", json=group, allow=(409,))
        for client in document["clients"]:
            self._ensure_client(base, client)

    def _ensure_client(self, base: str, wanted: dict[str, Any]) -> None:
        found = self._call("GET", f"{base}/clients", params={"clientId": wanted["clientId"]}).json()
        if not found:
            self._call("POST", f"{base}/clients", json=wanted)
            return
        merged = {**found[0], **wanted, "attributes": {**found[0].get("attributes", {}), **wanted.get("attributes", {})}}
        mappers = merged.pop("protocolMappers", [])
        url = f"{base}/clients/{found[0]['id']}"
        self._call("PUT", url, json=merged)
        known = {m["name"]: m for m in self._call("GET", f"{url}/protocol-mappers/models").json()}
        for mapper in mappers:
            if mapper["name"] in known:
                entry = known[mapper["name"]]
                self._call("PUT", f"{url}/protocol-mappers/models/{entry['id']}", json={**entry, **mapper})
            else:
                self._call("POST", f"{url}/protocol-mappers/models", json=mapper)

    # -- people -----------------------------------------------------------------------------------------------------

    def users(self) -> list[Person]:
        """Every person of the realm by name; service accounts are none."""
        found: list[Person] = []
        while page := self._realm("GET", "/users", params={"first": len(found), "max": 200}).json():
            found += [_person(entry) for entry in page]
        return sorted(found, key=lambda person: person.name)

    def find(self, name: str) -> Person | None:
        found = self._realm("GET", "/users", params={"username": name, "exact": "true"}).json()
        return _person(found[0]) if found else None

    def create_user(
        self, name: str, *, first: str, last: str, email: str, roles: Iterable[str] = (), groups: Iterable[str] = (),
    ) -> Person:
        """A user without a password: nobody can sign in as them until `reset_password`."""
        if not USER_NAME.fullmatch(name):
            raise DirectoryError(f"{name!r} cannot be a user name. Use lower-case letters, digits, dot, dash and underscore.")
        if self.find(name):
            raise DirectoryError(f"There is a user {name} already. `voxelhub user reset {name}` gives a new password.")
        wanted = sorted(groups)
        for group in wanted:
            self._group(group)  # before anything is made
        roles_found = [self._role(role) for role in roles]
        self._realm("POST", "/users", json={
            "username": name, "firstName": first, "lastName": last, "email": email, "emailVerified": True, "enabled": True,
        })
        person = self._user(name)
        if roles_found:
            self._realm("POST", f"/users/{person.id}/role-mappings/realm", json=roles_found)
        for group in wanted:
            self.add_to_group(name, group)
        return person

    def reset_password(self, name: str) -> str:
        """Set and return a new strong password; sessions that were open are ended."""
        person, password = self._user(name), new_password()
        self._realm("PUT", f"/users/{person.id}/reset-password", json={"type": "password", "value": password, "temporary": False})
        self._realm("POST", f"/users/{person.id}/logout")
        self._realm("DELETE", f"/attack-detection/brute-force/users/{person.id}")
        return password

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Disabling also ends the user's sessions; their servers are stopped by the hub's next look."""
        person = self._user(name)
        entry = self._realm("GET", f"/users/{person.id}").json()
        self._realm("PUT", f"/users/{person.id}", json={**entry, "enabled": enabled})
        if not enabled:
            self._realm("POST", f"/users/{person.id}/logout")

    def delete_user(self, name: str) -> None:
        self._realm("DELETE", f"/users/{self._user(name).id}")

    def end_sessions(self, name: str) -> None:
        self._realm("POST", f"/users/{self._user(name).id}/logout")

    # -- groups -----------------------------------------------------------------------------------------------------

    def groups_of(self, name: str) -> list[str]:
        """Full paths, sorted."""
        entries = self._realm("GET", f"/users/{self._user(name).id}/groups", params={"max": 10_000}).json()
        return sorted(entry["path"] for entry in entries)

    def roles_of(self, name: str) -> list[str]:
        entries = self._realm("GET", f"/users/{self._user(name).id}/role-mappings/realm").json()
        return sorted(entry["name"] for entry in entries if entry["name"] in realm.ROLES)

    def add_to_group(self, name: str, path: str) -> None:
        self._realm("PUT", f"/users/{self._user(name).id}/groups/{self._group(path)}")

    def remove_from_group(self, name: str, path: str) -> None:
        self._realm("DELETE", f"/users/{self._user(name).id}/groups/{self._group(path)}")

    def ensure_project(self, name: str) -> None:
        """The groups /projects/<name>, …/owners and …/stewards."""
        if not PROJECT_NAME.fullmatch(name) or name.startswith("home-"):
            raise DirectoryError(
                f"{name!r} cannot be a project's name. Use lower-case letters, digits and dashes; "
                "`home-` is kept for personal projects."
            )
        self._child(self._group("/projects"), name)
        parent = self._group(f"/projects/{name}")
        for part in realm.PROJECT_SUBGROUPS:
            self._child(parent, part)

    def projects(self) -> list[str]:
        entries = self._realm("GET", f"/groups/{self._group('/projects')}/children", params={"max": 10_000}).json()
        return sorted(entry["name"] for entry in entries)

    def _child(self, parent: str, name: str) -> None:
        self._realm("POST", f"/groups/{parent}/children", json={"name": name}, allow=(409,))

    def _group(self, path: str) -> str:
        answer = self._realm("GET", f"/group-by-path/{quote(path.strip('/'))}", allow=(404,))
        if answer.status_code == 404:
            raise DirectoryError(f"There is no group {path}. `voxelhub project add NAME` makes the groups of a project.")
        return str(answer.json()["id"])

    def _role(self, name: str) -> dict[str, Any]:
        if name not in realm.ROLES:
            raise DirectoryError(f"There is no role {name}. The roles are {', '.join(realm.ROLES)}.")
        entry: dict[str, Any] = self._realm("GET", f"/roles/{name}").json()
        return {"id": entry["id"], "name": entry["name"]}

    def _user(self, name: str) -> Person:
        person = self.find(name)
        if person is None:
            raise DirectoryError(f"There is no user {name}. `voxelhub user list` shows who there is.")
        return person

    # -- wire -------------------------------------------------------------------------------------------------------

    def _realm(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._call(method, f"/admin/realms/{self._settings.keycloak_realm}{path}", **options)

    def _call(self, method: str, path: str, *, allow: tuple[int, ...] = (), **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, headers={"Authorization": f"Bearer {self._bearer()}"}, **options)
        except httpx.HTTPError as error:
            raise DirectoryError("Keycloak does not answer. Is VoxelHub running? `voxelhub status` shows it.") from error
        if answer.is_error and answer.status_code not in allow:
            raise DirectoryError(f"Keycloak refused ({answer.status_code}): {_reason(answer)}")
        return answer

    def _password(self) -> str:
        try:
            return read_secret(self._settings.secrets_dir, "keycloak-admin-password")
        except FileNotFoundError:
            raise DirectoryError(
                f"This command speaks to the bundled Keycloak as its administrator, whose password is not here. Where the "
                f"directory is your own Keycloak ({self._settings.issuer}), people and groups are made there; with the bundled "
                "one on Kubernetes, call this in the pod of the hub.") from None

    def _bearer(self) -> str:
        if time.monotonic() < self._until:
            return self._token
        answer = self._http.post("/realms/master/protocol/openid-connect/token", data={
            "grant_type": "password", "client_id": "admin-cli", "username": realm.ADMIN, "password": self._password(),
        })
        if answer.is_error:
            raise DirectoryError(f"Keycloak does not accept its administrator ({answer.status_code}): {_reason(answer)}")
        # Half its life (60 s), so that no call starts with a token about to end.
        self._token, self._until = answer.json()["access_token"], time.monotonic() + answer.json()["expires_in"] / 2
        return self._token


def _person(entry: dict[str, Any]) -> Person:
    return Person(entry["id"], entry["username"], entry.get("firstName", ""), entry.get("lastName", ""),
                  entry.get("email", ""), entry["enabled"])


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return "no reason given"
    return str(body.get("errorMessage") or body.get("error_description") or body.get("error") or "no reason given")
