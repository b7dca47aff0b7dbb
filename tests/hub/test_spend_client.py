"""The hub's question about budgets, asked of the real service, and what a start is told when nobody answers."""

from __future__ import annotations

import asyncio

from support.live import serving
from support.service import TableIdentity, make_test_context
from voxelhub_hub import spend_client
from voxelhub_hub.spend_client import AWAY, SpendClient
from voxelhub_sandbox.profiles import load_profiles
from voxelhub_service.api.app import create_app
from voxelhub_service.database import writing
from voxelhub_service.ledger.metering import Counters, Meter, meter
from voxelhub_service.ledger.prices import Price
from voxelhub_service.models import utcnow
from voxelhub_service.secrets import read_secret
from voxelhub_spawner.form import options_form


def test_a_page_shows_what_is_left_and_a_start_is_refused_when_nothing_is(tmp_path, monkeypatch):
    monkeypatch.setattr(spend_client, "SHOWN_WITHIN", 30.0)  # a busy machine may be slow, and that is not what is asked here
    (tmp_path / "budgets").write_text("defaults: {person: {cpu_hours: 2}}\n")
    context = make_test_context(tmp_path, budgets_file=str(tmp_path / "budgets"))
    with serving(create_app(context, TableIdentity({}))) as port:
        url = f"http://127.0.0.1:{port}/services/voxelhub/api/v1/internal/spend/server"
        client = SpendClient(url, read_secret(context.settings.secrets_dir, "events-token"), True, patience=0.1)

        def asked(who: SpendClient = client) -> tuple[object, str]:
            return asyncio.run(who.show("ada")), asyncio.run(who.refusal("ada"))

        shown, refusal = asked()
        assert (shown.budgets, refusal) == (["2.0 of 2 CPU hours left this month"], "")
        assert "2.0 of 2 CPU hours left this month." in options_form(load_profiles(), "", shown.budgets, shown.refused)
        with writing(context.engine) as session:
            used = Counters(7200, 7200)
            meter(session, Meter("server", "s", "S", "ada", None, "small", used, Price(None, None), True, since=utcnow()))
        shown, refusal = asked()
        assert refusal == "The budget of ada for this month is spent: 2.0 of 2 CPU hours." == shown.refused
        form = options_form(load_profiles(), "", shown.budgets, shown.refused)
        assert f'role="alert">{refusal}' in form and 'value="small"' in form
        assert asked(SpendClient(url, "another token", True, patience=0.1)) == (None, AWAY)
        assert asked(SpendClient(url, "another token", False)) == (None, ""), "without budgets nobody is asked"
    assert asked() == (None, AWAY)
