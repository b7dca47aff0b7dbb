"""An installation of its own: no isolation, which serves one person and says so; and idle servers that end soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from support.installation import Installation, until
from support.kernel import RemoteKernel
from support.person import STARTED, Person, processes

IDLE = 12  # seconds without activity until a server is stopped


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    environ = {"VOXELHUB_CULL_TIMEOUT": str(IDLE), "VOXELHUB_CULL_EVERY": "2", "VOXELHUB_CULL_WARNING": "6"}
    with Installation(tmp_path_factory.mktemp("alone") / "state", environ, ["--no-isolation"]) as started:
        yield started


async def test_a_busy_kernel_spares_its_server_and_idleness_ends_it(alone: Installation) -> None:
    with Person(alone, "ada") as ada:
        ada.sign_in()
        assert ada.spawn({"profile": "small"}).status_code in STARTED
        async with RemoteKernel(ada.server_url, ada.server_token()) as kernel:
            computing = asyncio.create_task(kernel.execute(f"import time; time.sleep({IDLE + 12}); print('done')"))
            await asyncio.sleep(IDLE + 8)
            assert ada.server("GET", "voxelhub/server").json()["cull_at"] is None
            assert ada.ready(), "a computing server was stopped"
            outcome = await computing
            assert outcome.text.strip() == "done"
            started = time.monotonic()
            while time.monotonic() - started < IDLE + 60 and processes(alone, "ada"):
                ada.server("GET", "api/status")  # an open but deserted tab keeps asking
                await asyncio.sleep(1)
            assert not processes(alone, "ada"), "the idle server went on"
            assert time.monotonic() - started > IDLE - 3, "the person had no time to react"
            kernel.socket.close()
            kernel.id = ""


def test_without_isolation_one_person_is_served_and_told(alone: Installation) -> None:
    assert "Isolation is OFF" in alone.output.read_text()
    with Person(alone, "ada") as ada, Person(alone, "ben") as ben:
        ada.sign_in()
        ada.spawn({"profile": "small"})
        assert ada.server("GET", "voxelhub/server").json()["isolation"] is False
        ben.sign_in()
        answer = ben.spawn({"profile": "small"})
        assert answer.status_code == 403 and "serves one person only" in answer.json()["message"]
        tree = processes(alone, "ada")
        ada.stop()
        until(lambda: not any(p.is_running() for p in tree), 60, "the end of the whole tree")
