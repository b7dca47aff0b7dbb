"""The price list: kinds of workers, what a scheduler, a run and a server cost an hour. One currency, one date."""

from __future__ import annotations

import datetime
import functools
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from voxelhub_sandbox.profiles import SHIPPED as PROFILES
from voxelhub_sandbox.profiles import UNITS, Profile, ProfilesError, load_profiles

from ..settings import Settings

log = logging.getLogger(__name__)
SHIPPED = Path(__file__).with_name("prices.yaml")
SCHEDULER = "scheduler"  # profile of a cluster's scheduler in the ledger
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
CURRENCY = re.compile(r"[A-Z]{3}")


class PricesError(ValueError):
    """The price list is wrong; the sentence says where and what would be right."""


@dataclass(frozen=True)
class Price:
    """Of one thing for one hour, as the list had it on its date. None: it has no price, its hours are counted all the same."""

    per_hour: float | None
    currency: str | None
    date: str | None = None


@dataclass(frozen=True)
class WorkerKind:
    """A size of Dask worker: cores, bytes of memory, GPUs."""

    name: str
    title: str
    cpu: float
    memory: int
    gpus: int = 0
    price_per_hour: float | None = None
    default: bool = False


@dataclass(frozen=True)
class RunPrices:
    """Of a tool run, for what its tool asks for: per core, GiB of memory and GPU, each an hour."""

    core_hour: float | None = None
    gib_hour: float | None = None
    gpu_hour: float | None = None


@dataclass(frozen=True)
class PriceList:
    currency: str | None
    date: str | None
    source: str
    kinds: tuple[WorkerKind, ...]
    scheduler_per_hour: float | None
    runs: RunPrices
    servers: tuple[Profile, ...]

    def kind(self, name: str) -> WorkerKind | None:
        return next((one for one in self.kinds if one.name == name), None)

    @property
    def default_kind(self) -> WorkerKind:
        return next((one for one in self.kinds if one.default), self.kinds[0])

    def server(self, name: str) -> Profile | None:
        return next((one for one in self.servers if one.name == name), None)

    def of_worker(self, kind: str) -> Price:
        """Of one worker of that kind, or of a scheduler (`SCHEDULER`)."""
        found = self.kind(kind)
        amount = self.scheduler_per_hour if kind == SCHEDULER else found.price_per_hour if found else None
        return self._price(amount)

    def of_server(self, profile: str) -> Price:
        found = self.server(profile)
        return self._price(found.price_per_hour if found and found.price_per_hour else None)

    def of_run(self, cpu: float, memory: int, gpus: int = 0) -> Price:
        """Of a tool run of so many cores, bytes and GPUs."""
        parts = ((cpu, self.runs.core_hour), (memory / UNITS["GiB"], self.runs.gib_hour), (gpus, self.runs.gpu_hour))
        priced = [amount * price for amount, price in parts if price is not None]
        return self._price(sum(priced) if priced else None)

    def _price(self, amount: float | None) -> Price:
        return Price(amount, self.currency, self.date) if amount is not None and self.currency else Price(None, None)

    def age_days(self, today: datetime.date) -> int | None:
        return (today - datetime.date.fromisoformat(self.date)).days if self.date else None


def load_prices(settings: Settings) -> PriceList:
    """The price list of an installation, the servers' prices from its profiles among them; PricesError with a sentence.

    A changed file is in force at once, for the ledger's next rows.
    """
    path = Path(settings.prices_file) if settings.prices_file else SHIPPED
    profiles = Path(settings.profiles_file) if settings.profiles_file else PROFILES
    return _load(path, profiles, _stamp(path), _stamp(profiles))


_good: dict[tuple[str, str], PriceList] = {}


def known_prices(settings: Settings) -> PriceList:
    """The same, or the last that could be read, as long as the file is wrong: what runs is metered all the same."""
    key = (settings.prices_file, settings.profiles_file)
    try:
        _good[key] = load_prices(settings)
    except PricesError as error:
        if key not in _good:
            raise
        log.error("the last price list stays in force: %s", error)
    return _good[key]


@functools.lru_cache(maxsize=4)
def _load(path: Path, profiles: Path, *_stamps: object) -> PriceList:
    try:
        servers = tuple(load_profiles(profiles))
    except (ProfilesError, OSError, UnicodeDecodeError) as error:
        known = isinstance(error, ProfilesError)
        raise PricesError(str(error) if known else f"The profiles file {profiles.name} cannot be read.") from None
    return parse_prices(read_yaml(path, "price list"), servers)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Tells a changed file from the one that was read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def parse_prices(document: Any, servers: tuple[Profile, ...] = ()) -> PriceList:
    """From the document of the file, and the profiles of notebook servers; PricesError with a sentence."""
    top = Fields("The price list", document, {"currency", "date", "source", "scheduler_per_hour", "kinds", "runs"})
    currency = top.currency("currency")
    kinds = tuple(_kind(one, number) for number, one in enumerate(top.sequence("kinds"), 1))
    _refuse_ambiguous(kinds)
    runs = Fields("The price list: runs", top.get("runs") or {}, {"core_hour", "gib_hour", "gpu_hour"})
    prices = RunPrices(runs.amount("core_hour"), runs.amount("gib_hour"), runs.amount("gpu_hour"))
    scheduler, day = top.amount("scheduler_per_hour"), top.date("date")
    priced = any(one is not None for one in (
        scheduler, prices.core_hour, prices.gib_hour, prices.gpu_hour, *(kind.price_per_hour for kind in kinds)))
    if priced and not (currency and day):
        raise PricesError("The price list has prices; it needs their `currency`, as EUR, and the `date` from which they hold.")
    of_servers = {one.currency for one in servers if one.price_per_hour}
    if currency and of_servers - {currency}:
        raise PricesError(f"The price list is in {currency}, and the profiles of notebook servers in "
                          f"{', '.join(sorted(of_servers))}. Write both in the same currency.")
    return PriceList(currency or next(iter(of_servers), None), day, top.text("source", ""), kinds, scheduler, prices, servers)


def _kind(document: Any, number: int) -> WorkerKind:
    fields = Fields(f"Kind {number}", document, {"name", "title", "cpu", "memory", "gpus", "price_per_hour", "default"})
    name = fields.text("name")
    if not NAME.fullmatch(name) or name == SCHEDULER:
        raise PricesError(f"Kind {number} is called {name!r}; write lower-case letters, digits and hyphens, and not {SCHEDULER}.")
    fields.where = f"Kind {name}"
    cpu, gpus = fields.amount("cpu"), fields.amount("gpus") or 0
    if not cpu:
        raise PricesError(f"Kind {name} needs `cpu`, a number of cores above 0.")
    if gpus != int(gpus):
        raise PricesError(f"Kind {name}: `gpus` is a whole number.")
    default = fields.get("default", False)
    if not isinstance(default, bool):
        raise PricesError(f"Kind {name}: `default` is true or false.")
    memory, price = fields.bytes("memory"), fields.amount("price_per_hour")
    return WorkerKind(name, fields.text("title", name), cpu, memory, int(gpus), price, default)


def _refuse_ambiguous(kinds: tuple[WorkerKind, ...]) -> None:
    names = [one.name for one in kinds]
    if not names:
        raise PricesError("The price list needs `kinds`, a list with at least one kind of worker.")
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise PricesError(f"The kind {twice[0]} is there twice; names are unique.")
    if sum(one.default for one in kinds) > 1:
        raise PricesError("More than one kind is the default; mark one.")


def read_yaml(path: Path, what: str) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError):
        raise PricesError(f"The {what} {path.name} cannot be read; it has to be a file that the service may read.") from None
    except yaml.YAMLError as error:
        raise PricesError(f"{path.name} is not YAML: {str(error).splitlines()[0]}.") from None


class Fields:
    """The fields of one mapping of such a file, each refused with a sentence that names `where`."""

    def __init__(self, where: str, document: Any, known: set[str]) -> None:
        self.where = where
        if not isinstance(document, Mapping):
            raise PricesError(f"{where} is no mapping; known keys are {', '.join(sorted(known))}.")
        if unknown := sorted(map(str, set(document) - known)):
            raise PricesError(f"{where} has the unknown key {unknown[0]}; known are {', '.join(sorted(known))}.")
        self._document = document

    def get(self, key: str, default: Any = None) -> Any:
        return self._document.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key, default)
        if not isinstance(value, str):
            raise PricesError(f"{self.where} needs the text `{key}`.")
        return value

    def sequence(self, key: str) -> list[Any]:
        value = self.get(key, [])
        if not isinstance(value, list):
            raise PricesError(f"{self.where}: `{key}` is a list.")
        return value

    def amount(self, key: str) -> float | None:
        """None where it is not there."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise PricesError(f"{self.where}: `{key}` is {value!r}; write a number that is not negative, without a currency.")
        return float(value)

    def currency(self, key: str) -> str | None:
        value = self.get(key)
        if value is not None and not (isinstance(value, str) and CURRENCY.fullmatch(value)):
            raise PricesError(f"{self.where}: `{key}` is {value!r}; write the three letters of ISO 4217, as EUR.")
        return value

    def date(self, key: str) -> str | None:
        value = self.get(key)  # YAML makes a date of what looks like one
        if value is not None and type(value) is not datetime.date:
            raise PricesError(f"{self.where}: `{key}` is {value!r}; write a day as 2026-11-30, without quotes.")
        return value.isoformat() if value else None

    def bytes(self, key: str) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]iB|)", str(self.get(key)))
        if not match or float(match[1]) <= 0:
            raise PricesError(f"{self.where} needs `{key}` in bytes or as in `2 GiB`.")
        return int(float(match[1]) * UNITS[match[2]])
