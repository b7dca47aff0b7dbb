"""Price list and budgets: what a wrong file is told, what is left, and what is done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from support.service import make_test_context
from voxelhub_sandbox.profiles import Profile
from voxelhub_service.database import writing
from voxelhub_service.errors import Problem
from voxelhub_service.ledger import budgets
from voxelhub_service.ledger.budgets import judge, parse_budgets, refuse_if_reached, states
from voxelhub_service.ledger.enforcing import decide
from voxelhub_service.ledger.estimating import between, estimate, money
from voxelhub_service.ledger.metering import Counters, Meter, meter
from voxelhub_service.ledger.prices import SHIPPED, Price, PricesError, known_prices, load_prices, parse_prices
from voxelhub_service.ledger.proposals import Seen, Size, fitting
from voxelhub_service.models import Project, utcnow
from voxelhub_service.settings import Settings

GIB = 1024**3
SMALL = {"name": "small", "cpu": 1, "memory": "1 GiB"}
LIST = {"currency": "EUR", "date": datetime(2026, 11, 1).date(), "scheduler_per_hour": 0.01, "source": "contract 7",
        "runs": {"core_hour": 0.02, "gib_hour": 0.005}, "kinds": [SMALL | {"price_per_hour": 0.05}]}
SERVERS = (Profile("small", "Small", 1, GIB, price_per_hour=0.02), Profile("free", "Free", 1, GIB))


def test_what_ships_has_kinds_and_no_prices():
    prices = parse_prices(yaml.safe_load(SHIPPED.read_text()))
    assert [one.name for one in prices.kinds] == ["small", "medium", "large"] and prices.default_kind.name == "small"
    assert (prices.currency, prices.of_worker("small"), prices.of_run(1, GIB)) == (None, Price(None, None), Price(None, None))
    assert load_prices(Settings()).of_server("small").per_hour == 0.02, "servers have theirs in the profiles"


def test_prices_of_everything_that_runs():
    prices = parse_prices(LIST, SERVERS)
    assert prices.of_worker("small") == Price(0.05, "EUR", "2026-11-01")
    assert prices.of_worker("scheduler").per_hour == 0.01 and prices.of_worker("none").per_hour is None
    assert prices.of_run(2, 4 * GIB).per_hour == pytest.approx(0.06)
    assert prices.of_server("small").per_hour == 0.02 and prices.of_server("free").per_hour is None
    assert prices.age_days(datetime(2026, 11, 30).date()) == 29


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"kinds": []}, "at least one kind"),
    ({"kinds": [SMALL, SMALL]}, "small is there twice"),
    ({"kinds": [SMALL | {"name": "Big One"}]}, "lower-case letters"),
    ({"kinds": [SMALL | {"name": "scheduler"}]}, "not scheduler"),
    ({"kinds": [SMALL | {"memory": "much"}]}, "needs `memory`"),
    ({"kinds": [SMALL | {"cpu": 0}]}, "cores above 0"),
    ({"kinds": [SMALL | {"price_per_hour": -1}]}, "is not negative"),
    ({"kinds": [SMALL | {"price_per_hour": float("nan")}]}, "is not negative"),
    ({"kinds": [SMALL | {"gpus": 0.5}]}, "whole number"),
    ({"kinds": [SMALL | {"price": 1}]}, "unknown key price"),
    ({"kinds": "small"}, "is a list"),
    ({"currency": "Euro"}, "three letters"),
    ({"currency": None}, "needs their `currency`"),
    ({"date": "yesterday"}, "write a day"),
    ({"date": None}, "the `date`"),
    ({"runs": {"core_hour": "0.02 EUR"}}, "without a currency"),
    ({"currency": "CHF"}, "is in CHF, and the profiles of notebook servers in EUR"),
])
def test_a_wrong_price_list_is_told_in_one_sentence(changes, sentence):
    with pytest.raises(PricesError) as caught:
        parse_prices(LIST | changes, SERVERS)
    assert sentence in str(caught.value) and str(caught.value).endswith(".")


def test_a_file_that_turned_wrong_leaves_the_last_list_in_force_for_what_runs(tmp_path):
    file = tmp_path / "prices.yaml"
    settings = Settings(prices_file=str(file))
    with pytest.raises(PricesError, match="cannot be read"):
        known_prices(settings)
    file.write_text(yaml.safe_dump(LIST))
    assert known_prices(settings).of_worker("small").per_hour == 0.05
    file.write_text(yaml.safe_dump(LIST | {"scheduler_per_hour": 0.5}))
    assert known_prices(settings).scheduler_per_hour == 0.5, "a change is in force at once"
    file.write_text("kinds: [")
    assert known_prices(settings).scheduler_per_hour == 0.5
    with pytest.raises(PricesError, match="is not YAML"):
        load_prices(settings)


def test_ones_own_limits_stand_before_the_defaults_unit_by_unit():
    known = parse_budgets({
        "currency": "EUR", "defaults": {"person": {"money": 40, "cpu_hours": 100}, "project": {"money": 500}},
        "people": {"ada": {"money": 90}, "ben": {"cpu_hours": None}}, "projects": {"lung": {"gpu_hours": 8}}}, parse_prices(LIST))
    assert known.of_person("ada") == {"money": 90, "cpu_hours": 100} and known.of_person("ben") == {"money": 40}
    shared, own = Project(name="lung", kind="shared"), Project(name="home-ada", kind="personal")
    assert known.of_project(shared) == {"money": 500, "gpu_hours": 8} and known.of_project(own) == {}


@pytest.mark.parametrize(("document", "sentence"), [
    ([], "is no mapping"),
    ({"people": ["ada"]}, "mapping of names"),
    ({"people": {"ada": {"euros": 3}}}, "unknown key euros"),
    ({"people": {"ada": {"cpu_hours": "many"}}}, "write a number"),
    ({"defaults": {"person": {"money": 40}}}, "needs `currency: EUR`"),
    ({"currency": "USD", "defaults": {"person": {"money": 40}}}, "it has USD"),
])
def test_wrong_budgets_are_told_in_one_sentence(document, sentence):
    with pytest.raises(PricesError) as caught:
        parse_budgets(document, parse_prices(LIST))
    assert sentence in str(caught.value)


def test_money_needs_prices():
    with pytest.raises(PricesError, match="nothing has a price"):
        parse_budgets({"currency": "EUR", "people": {"ada": {"money": 1}}}, parse_prices({"kinds": [SMALL]}))


def test_sentences():
    left = judge("person", "ada", "money", 40, 27.4, "EUR", None)
    assert left.sentence == "12.60 of 40 EUR left this month" and not left.warns
    hours = judge("project", "lung", "cpu_hours", 100, 82.25, None, None)
    assert hours.sentence == "17.8 of 100 CPU hours left this month of lung"
    assert estimate(Price(0.34, "EUR"), [left]).sentence == "about 0.34 EUR an hour; 12.60 of 40 EUR left this month"
    assert estimate(Price(None, None), []).sentence == "no price"
    assert between(Price(0.1, "EUR"), Price(0.34, "EUR")) == "between 0.10 and 0.34 EUR an hour"
    assert [money(one) for one in (0, 0.34, 12, 0.0042, 0.00001)] == ["0.00", "0.34", "12.00", "0.0042", "0.000010"]
    spent = judge("person", "ada", "money", 40, 40.1, "EUR", None)
    assert spent.left == 0 and estimate(Price(1, "EUR"), [spent]).refused == (
        "The budget of ada for this month is spent: 40.10 of 40 EUR.")


NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(("spent", "marks", "acts"), [
    (79.9, {}, []), (80, {}, ["warn"]), (99, {80: 500}, []), (100, {}, ["reach"]), (120, {80: 500}, ["reach"]),
    (120, {80: 500, 100: 59}, []), (120, {80: 500, 100: 60}, ["stop"]), (120, {100: 9999}, ["stop"]),
    (90, {80: 500, 100: 300}, ["lift"]), (50, {80: 500, 100: 300}, ["lift", "lift_warning"]), (90, {100: 300}, ["lift", "warn"]),
])
def test_what_is_done_about_a_budget(spent, marks, acts):
    """`marks`: level -> seconds since. A raised budget is warned about anew."""
    state = judge("person", "ada", "money", 100, spent, "EUR", None)
    since = {level: NOW - timedelta(seconds=ago) for level, ago in marks.items()}
    assert decide(state, since, NOW, timedelta(seconds=60)) == acts


def test_budgets_of_a_person_and_a_project_from_the_ledger(tmp_path):
    files = {"prices_file": LIST, "budgets_file": {
        "currency": "EUR", "defaults": {"person": {"money": 0.2, "cpu_hours": 100}}, "projects": {"demo": {"cpu_hours": 2}}}}
    context = make_test_context(tmp_path, **{name: write(tmp_path / name, one) for name, one in files.items()})
    with writing(context.engine) as session:
        project = Project(name="demo", title="Demo", quota_bytes=GIB)
        session.add(project)
        session.flush()
        for owner, hours, at in (("ada", 1, NOW), ("ben", 3, NOW), ("ada", 50, NOW - timedelta(days=40))):
            counters, price = Counters(hours * 3600, hours * 3600), Price(0.05, "EUR")
            meter(session, Meter("cluster", f"{owner}{hours}", "C", owner, project.id, "small", counters, price, False, since=at,
                                 at=at))
        found = {(one.scope, one.unit): (round(one.spent, 4), one.reached)
                 for one in states(context, session, "ada", project, NOW)}
        assert found == {
            ("person", "money"): (0.05, False), ("person", "cpu_hours"): (1, False), ("project", "cpu_hours"): (4, True)}
        assert [one.name for one in states(context, session, "ben", None, NOW)] == ["ben", "ben"]
        assert budgets.used(session, "person", "2026-10", "EUR").keys() == {"ada"}
        assert states(context, session, "ada", None, NOW + timedelta(days=2))[0].spent == 0, "a new month"


def test_what_is_refused_says_its_figures(tmp_path):
    context = make_test_context(tmp_path, budgets_file=write(tmp_path / "b", {"defaults": {"person": {"cpu_hours": 1}}}))
    with writing(context.engine) as session:
        refuse_if_reached(context, session, "ada", None)
        hour = Counters(3600, 7200)
        meter(session, Meter("cluster", "c", "C", "ada", None, "small", hour, Price(None, None), True, since=utcnow()))
        with pytest.raises(Problem) as caught:
            refuse_if_reached(context, session, "ada", None)
    assert (caught.value.status, caught.value.code) == (403, "budget_reached")
    assert caught.value.detail == "The budget of ada for this month is spent: 2.0 of 1 CPU hours."


def test_budgets_that_cannot_be_read_let_nothing_start(tmp_path):
    context = make_test_context(tmp_path, budgets_file=str(tmp_path / "missing.yaml"))
    with writing(context.engine) as session, pytest.raises(Problem) as caught:
        refuse_if_reached(context, session, "ada", None)
    assert (caught.value.status, caught.value.code) == (503, "prices_unreadable")
    assert str(tmp_path) not in caught.value.detail + caught.value.fix


def test_a_proposal_rests_on_three_runs_and_leaves_room():
    sizes = [Size("small", "Small", 1, GIB), Size("medium", "Medium", 2, 4 * GIB)]
    runs = [Seen(0.9, int(1.2 * GIB), 60), Seen(0.5, GIB, 50), Seen(0.7, GIB, 70)]
    assert fitting(runs[:2], sizes, "Its last 2 runs").profile is None
    found = fitting(runs, sizes, "Its last 3 runs")
    assert (found.profile, found.runs, found.peak_memory) == ("medium", 3, int(1.2 * GIB))
    assert found.sentence == "Its last 3 runs peaked at 1.2 GiB and kept 0.7 cores busy: the size Medium would do."
    assert fitting([Seen(0.9, GIB * 7 // 10, 60)] * 3, sizes, "").profile == "small"
    assert fitting([Seen(9, GIB, 60)] * 3, sizes, "").profile is None


def write(path: Path, document: object) -> str:
    path.write_text(yaml.safe_dump(document))
    return str(path)
