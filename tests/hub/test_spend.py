"""A notebook server in the ledger, on the whole installation: charged for its life, and ended with its budget."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.installation import SERVICE_SCOPE, Installation, until
from support.person import NewPerson, processes
from voxelhub_service.secrets import read_secret


@pytest.fixture
def budgets(installation: Installation) -> Iterator[Path]:
    file = Path(installation.settings.budgets_file)
    yield file
    file.write_text("{}\n")


def test_a_server_is_charged_and_ends_with_its_budget(installation: Installation, new_person: NewPerson, budgets: Path) -> None:
    with new_person(()) as person:
        budgets.write_text(f"people: {{{person.name}: {{cpu_hours: 5}}}}\n")
        person.sign_in()
        assert "5.0 of 5 CPU hours left this month." in person.page("/hub/spawn").text
        assert person.spawn({"profile": "small"}).status_code in (201, 202)
        born = min(process.create_time() for process in processes(installation, person.name))
        token = installation.hub_token(person.name, [SERVICE_SCOPE], password=person.password)
        api = httpx.Client(base_url=installation.api, headers={"Authorization": f"token {token}"}, timeout=60, trust_env=False)

        def entry() -> dict[str, object]:
            return next(iter(api.get("/spend/entries").json()["items"]), {})

        def grows() -> tuple[float, float] | None:
            seconds = float(str(entry().get("seconds", 0)))
            return (seconds, time.time()) if seconds > 2 else None

        seconds, at = until(grows, 120, "an entry that grows") or (0.0, 0.0)
        assert (entry()["kind"], entry()["profile"], entry()["ended_at"]) == ("server", "small", None)

        budgets.write_text(f"people: {{{person.name}: {{cpu_hours: 0.0001}}}}\n")
        lived = [time.time()]

        def gone() -> bool:
            looked = time.time()
            return not processes(installation, person.name) or bool(lived.append(looked))

        until(gone, 120, "the end of the server")
        gone_at = time.time()
        until(lambda: entry()["ended_at"], 120, "the end of the entry")
        # From its birth to its end, as far as the one and the other were seen from outside.
        assert seconds + (lived[-1] - at) - 2 < float(str(entry()["seconds"])) < gone_at - born + 1
        assert entry()["price_per_hour"] == 0.02 and float(str(entry()["peak_memory"])) > 50 * 1024**2
        until(lambda: not records_of(installation, person.name), 60, "the end of its record")

        refused = person.hub_api("POST", f"users/{person.name}/server", json={"profile": "small"})
        assert refused.status_code >= 400 and "of 0.0001 CPU hours" in refused.text and not processes(installation, person.name)
        assert 'role="alert">The budget of' in person.page("/hub/spawn").text


def records_of(installation: Installation, name: str) -> list[Path]:
    """What launchers told the hub and the service has not taken yet, of this person: others of the installation have theirs."""
    found = []
    for path in installation.settings.servers_dir.glob("*.json"):
        with suppress(FileNotFoundError):
            found += [path] if json.loads(path.read_text())["user"] == name else []
    return found


def test_one_secret_reads_the_figures_of_service_and_hub(installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {read_secret(installation.settings.secrets_dir, 'metrics-token')}"}
    with httpx.Client(base_url=installation.url, headers=headers, trust_env=False, timeout=30) as client:
        assert "voxelhub_worker_lease_seconds" in client.get("/services/voxelhub/api/v1/metrics").text
        assert "jupyterhub_" in client.get("/hub/metrics").text
        assert client.get("/hub/api/users").status_code == 403
    assert httpx.get(f"{installation.url}/hub/metrics", trust_env=False).status_code == 403
