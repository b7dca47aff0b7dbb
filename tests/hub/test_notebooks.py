"""The example notebook and the library in a spawned server: the sandbox, the mounts and the tokens a researcher really has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
from support.installation import Installation
from support.kernel import Outcome, RemoteKernel
from support.person import NewPerson

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


async def run_cells(server_url: str, token: str, cells: list[str]) -> list[Outcome]:
    async with RemoteKernel(server_url, token) as kernel:
        return [await kernel.execute(cell) for cell in cells]


def test_the_first_study_runs_in_a_spawned_server(installation: Installation, new_person: NewPerson) -> None:
    notebook = json.loads((NOTEBOOKS / "first-study.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with new_person(("demo",)) as person:
        person.sign_in()
        person.spawn({"profile": "small"})
        listed = person.server("GET", "api/contents/examples").json()["content"]
        assert "first-study.ipynb" in [one["name"] for one in listed]
        outcomes = asyncio.run(run_cells(person.server_url, person.server_token(), cells))
    assert [outcome.error for outcome in outcomes if outcome.error] == []


def test_a_slide_is_filtered_on_a_cluster_that_grows_and_shrinks(installation: Installation, new_person: NewPerson) -> None:
    """It asserts by itself that the result is that of one process, and that workers came and went. Nothing stays behind."""
    notebook = json.loads((NOTEBOOKS / "elastic-dask.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with new_person(("demo",)) as person:
        person.sign_in()
        person.spawn({"profile": "small"})
        cells.insert(-1, "print(cluster.id, cluster.dashboard_link)")  # before the one that closes it
        outcomes = asyncio.run(run_cells(person.server_url, person.server_token(), cells))
        assert [outcome.error for outcome in outcomes if outcome.error] == []
        id, link = outcomes[-2].text.split()
        assert link == f"/user/{person.name}/voxelhub/api/v1/clusters/{id}/dashboard/status"
        assert person.server("GET", f"voxelhub/api/v1/clusters/{id}").json()["state"] == "closed"


def test_a_kernel_gets_a_fresh_access_token_and_nothing_more(installation: Installation, new_person: NewPerson) -> None:
    with new_person(("demo",)) as person:
        person.sign_in()
        person.spawn({"profile": "small"})
        shown, = asyncio.run(run_cells(person.server_url, person.server_token(), [
            "import voxelhub\ntoken = voxelhub.access_token()\nprint(repr(token))\nprint(token.value)"]))
    assert not shown.error, shown.error
    masked, token = shown.text.strip().splitlines()[0], shown.text.strip().splitlines()[-1]
    assert token not in masked
    answer = httpx.get(f"{installation.api}/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert (answer.status_code, answer.json()["name"]) == (200, person.name)
    audit = installation.command("audit", "show").stdout
    assert "token.issue" in audit and token not in audit
