"""The hub's page of a start that was refused at once shows the sentence, and behind it what the cluster said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from voxelhub_spawner.base import NotStarted

ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = FileSystemLoader(Path(sys.prefix) / "share/jupyterhub/templates")


def page(refusal: NotStarted) -> str:
    """As SpawnHandler renders it."""
    loader = ChoiceLoader([PrefixLoader({"templates": UPSTREAM}), FileSystemLoader(ROOT / "hub_config/templates"), UPSTREAM])
    environment = Environment(loader=loader, autoescape=True)
    environment.globals.update(
        static_url=lambda path, **_: path, xsrf=b"", base_url="/hub/", user=None, parsed_scopes=set(), services=[])
    return environment.get_template("spawn.html").render(
        spawner_options_form="<b>form</b>", error_message=refusal.jupyterhub_message,
        html_error_message=getattr(refusal, "jupyterhub_html_message", None), for_user=None, url="/hub/spawn")


@pytest.mark.parametrize("behind", ["", "exceeded quota: <team>"])
def test_the_sentence_and_what_is_behind_it(behind: str) -> None:
    shown = page(NotStarted("The cluster's quota is used up.", reason="quota", status_code=403, behind=behind))
    assert shown.count("quota is used up.") == 1 and "NotStarted" not in shown
    assert ("<details" in shown) == bool(behind) and ("exceeded quota: &lt;team&gt;" in shown) == bool(behind)
