"""The price list: a JSON file of nodes (`price_list.schema.json`), read with one sentence for whatever is wrong in it.

Measured throughput and set-up, from `calibrate`, replace what the list guesses.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from .errors import PlannerError
from .model import Node, unique

FORMAT = "voxelhub-price-list/1"
CALIBRATION = "voxelhub-calibration/1"
MONEY = {"price_per_hour": "price_usd_per_hour", "minimum_charge": "minimum_charge_usd"}


@dataclass(frozen=True)
class PriceList:
    nodes: tuple[Node, ...]
    currency: str
    usd_per_unit: float
    date: str
    source: str = ""
    measured: tuple[str, ...] = ()  # nodes whose throughput is no guess
    fictional: bool = False  # an example: nothing of it can be bought

    def age_days(self, today: datetime.date | None = None) -> int:
        return ((today or datetime.date.today()) - datetime.date.fromisoformat(self.date)).days


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(__package__).joinpath("price_list.schema.json").read_text("utf-8"))
    return found


def example_prices() -> PriceList:
    """The invented list that stands in where none is given: `example_prices.json`."""
    name = "example_prices.json"
    return price_list_of(json.loads(files(__package__).joinpath(name).read_text("utf-8")), name)


def read_price_list(path: Path | str) -> PriceList:
    return price_list_of(read_json(path), str(Path(path).name))


def read_json(path: Path | str) -> Any:
    """Raises PlannerError for what is no JSON; a key given twice is no JSON here."""
    name = Path(path).name
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise PlannerError(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise PlannerError(f"{name} is no text in UTF-8.") from error
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise PlannerError(f"{name} is no JSON: line {error.lineno}, {error.msg}.") from error
    except PlannerError as error:
        raise PlannerError(f"{name}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique((key for key, _ in pairs), "key")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise PlannerError(f"{name} is no number that JSON knows.")


def price_list_of(content: Any, name: str = "The price list") -> PriceList:
    known = schema()
    _check(content, known, name)
    currency = content["currency"]
    _day(content["date"], name)
    if currency != "USD" and "usd_per_unit" not in content:
        raise PlannerError(f"{name} is in {currency}: say what one {currency} is worth, in `usd_per_unit`.")
    rate = float(content.get("usd_per_unit", 1.0))
    if currency == "USD" and rate != 1:
        raise PlannerError(f"{name} is in USD, so `usd_per_unit` can only be 1; this is {rate:g}.")
    nodes = []
    for entry in content["nodes"]:
        where = f"{name}, node {entry['id']}"
        if entry.get("currency", currency) != currency:
            raise PlannerError(f"{where} is priced in {entry['currency']}, the list in {currency}. Give them in one currency.")
        if "date" in entry:
            _day(entry["date"], where)
        nodes.append(_node(entry, rate, where))
    unique((node.id for node in nodes), "node")
    measured = tuple(entry["id"] for entry in content["nodes"] if entry.get("measured"))
    return PriceList(tuple(nodes), currency, rate, content["date"], content.get("source", ""), measured,
                     content.get("fictional", False))


def _node(entry: Mapping[str, Any], rate: float, where: str) -> Node:
    values = {key: value for key, value in entry.items() if key not in {*MONEY, "currency", "source", "date", "measured"}}
    values |= {ours: float(entry[theirs]) * rate for theirs, ours in MONEY.items() if theirs in entry}
    try:
        return Node(**values)
    except PlannerError as error:
        raise PlannerError(f"{where}: {error}") from error


def _day(text: str, where: str) -> None:
    try:
        datetime.date.fromisoformat(text)
    except ValueError as error:
        raise PlannerError(f"{where}: there is no day {text}.") from error


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "number": (int, float)}


def _check(value: Any, rule: Mapping[str, Any], where: str) -> None:
    """The part of JSON Schema that ours uses; the tests compare it with a whole implementation."""
    kind = rule.get("type")
    if kind is not None and (not isinstance(value, TYPES[kind]) or (kind == "number" and isinstance(value, bool))):
        raise PlannerError(f"{where} must be {'an' if kind in {'object', 'array'} else 'a'} {kind}; this is {_short(value)}.")
    if "const" in rule and value != rule["const"]:
        raise PlannerError(f"{where} must be {rule['const']!r}; this is {_short(value)}.")
    if isinstance(value, str):
        if len(value) < rule.get("minLength", 0):
            raise PlannerError(f"{where} must not be empty.")
        if "pattern" in rule and not re.search(rule["pattern"], value):
            raise PlannerError(f"{where} must look like {rule['pattern']}; this is {_short(value)}.")
    if kind == "number":
        _check_number(float(value), rule, where)
    if kind == "array":
        if len(value) < rule.get("minItems", 0):
            raise PlannerError(f"{where} must not be empty.")
        for n, item in enumerate(value):
            name = item.get("id") if isinstance(item, dict) else None
            _check(item, rule["items"], f"{where}, {name if isinstance(name, str) and name else f'number {n + 1}'}")
    if kind == "object":
        _check_object(value, rule, where)


def _check_number(value: float, rule: Mapping[str, Any], where: str) -> None:
    if "minimum" in rule and not value >= rule["minimum"]:
        raise PlannerError(f"{where} must be {rule['minimum']} or more; this is {value:g}.")
    if "exclusiveMinimum" in rule and not value > rule["exclusiveMinimum"]:
        raise PlannerError(f"{where} must be above {rule['exclusiveMinimum']}; this is {value:g}.")


def _check_object(value: Mapping[str, Any], rule: Mapping[str, Any], where: str) -> None:
    properties = rule.get("properties", {})
    if unknown := sorted(set(value) - set(properties)):
        raise PlannerError(f"{where} has an unknown key, {_short(unknown[0])}. Known are: {', '.join(properties)}.")
    for name in rule.get("required", ()):
        if name not in value:
            raise PlannerError(f"{where} lacks `{name}`.")
    for name, item in value.items():
        _check(item, properties[name], f"{where}, `{name}`")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def with_calibration(prices: PriceList, content: Any, name: str = "The calibration") -> PriceList:
    """Measured values in place of the list's. Every measured node must be in the list."""
    if not isinstance(content, dict) or content.get("format") != CALIBRATION or not isinstance(content.get("nodes"), list):
        raise PlannerError(f"{name} must be an object with `format` {CALIBRATION!r} and a list `nodes`.")
    known = {node.id: node for node in prices.nodes}
    measured = list(prices.measured)
    for entry in content["nodes"]:
        measured_id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(measured_id, str) or measured_id not in known:
            raise PlannerError(f"{name} measured {_short(measured_id)}, which is not in the price list.")
        values = {key: entry[key] for key in ("throughput_patches_per_s", "setup_s", "uplink_mbps") if key in entry}
        try:
            known[measured_id] = replace(known[measured_id], **values)
        except PlannerError as error:
            raise PlannerError(f"{name}, node {measured_id}: {error}") from error
        measured.append(measured_id)
    return replace(prices, nodes=tuple(known[node.id] for node in prices.nodes), measured=tuple(dict.fromkeys(measured)))
