"""The generated pages say what the code says: every setting, every route, every rule."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from support.service import TableIdentity, make_test_context
from voxelhub_hub import doctor, reference, toolbox
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import GUARDS, PREFIX
from voxelhub_service.policy.authorize import RULES, require
from voxelhub_service.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("name", "make"), [
    ("settings", reference.settings_page), ("api", reference.api_page), ("toolbox", toolbox.toolbox_page)])
def test_the_page_is_what_the_code_gives(name: str, make, capsys: pytest.CaptureFixture[str]) -> None:
    assert (DOCS / f"{name}.md").read_text() == make(), f"run `./voxelhub doctor --{name} --markdown > docs/{name}.md`"
    assert doctor.main([f"--{name}", "--markdown"]) == 0
    assert capsys.readouterr().out == make()


def test_every_setting_has_a_line_with_its_meaning() -> None:
    lines = (DOCS / "settings.md").read_text().splitlines()
    for field in fields(Settings):
        found = [line for line in lines if line.startswith(f"| `VOXELHUB_{field.name.upper()}` |")]
        assert len(found) == 1 and len(field.metadata["help"].split()) > 2, field.name


def test_every_route_of_the_running_application_is_on_the_page(tmp_path: Path) -> None:
    """The page is made without an installation; here are the routes of the real one."""
    served = create_app(make_test_context(tmp_path), TableIdentity({})).openapi()
    assert reference.api_document()["paths"] == served["paths"]
    listed = set(re.findall(r"^\| `([A-Z]+)` \| `(\S+)` \|", (DOCS / "api.md").read_text(), re.MULTILINE))
    routes = {(method.upper(), path.removeprefix(PREFIX)) for path, item in served["paths"].items() for method in item}
    assert listed == routes and len(routes) > 30


def test_every_route_asks_policy_and_every_rule_is_asked() -> None:
    asked = reference.actions_of_routes()
    without_actor = {route for route, guard in GUARDS.items() if guard != "metrics-token"}
    assert {route for route, actions in asked.items() if not actions} == without_actor & set(asked), "neither open nor asking"
    assert {action for actions in asked.values() for action in actions} == set(RULES)
    assert asked["POST", f"{PREFIX}/runs/{{run_id}}/cancel"] == ["run.cancel", "run.cancel_others", "run.read"]
    assert asked["GET", f"{PREFIX}/files/{{file_id}}/content"] == ["file.download"]


def test_a_route_that_only_writes_to_the_audit_log_asks_nothing() -> None:
    assert reference.actions_in(_forgetful, set()) == set()
    assert reference.actions_in(_careful, set()) == {"run.create"}


def _forgetful(context, session, actor):
    context.audit.append(session, actor, "run.create", "run:1")


def _careful(context, session, actor):
    require(actor, "run.create", None)
    _forgetful(context, session, actor)


def test_every_rule_is_on_the_page() -> None:
    page = (DOCS / "api.md").read_text()
    assert [action for action in RULES if f"| `{action}` |" not in page] == []


@pytest.mark.parametrize(("value", "help", "text"), [
    (True, "Run it.", "true"), (False, "Run it.", "false"), ("", "Address.", "–"), (8000, "Port of it.", "`8000`"),
    (100 * 1024**3, "Bytes held.", "100 GiB"), (256 * 1024**2, "Free bytes.", "256 MiB"), (1500, "Bytes held.", "1500 bytes"),
    (10, "Seconds until.", "10 s"), (90, "Seconds until.", "90 s"), (3600, "Seconds until.", "3600 s (1 h)"),
    (259200, "Seconds until.", "259200 s (3 days)"), (0, "Seconds until.", "0 s"),
])
def test_a_default_reads_with_its_unit(value: object, help: str, text: str) -> None:
    assert reference.default(value, help) == text


def test_the_options_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--markdown"], ["--api"], ["--settings", "--api", "--markdown"]):
        with pytest.raises(SystemExit):
            doctor.main(arguments)
    assert "--markdown goes with" in capsys.readouterr().err
