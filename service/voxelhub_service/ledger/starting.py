"""What one start would cost an hour: of a server, of runs of a tool."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session
from voxelhub_sandbox.profiles import default_profile

from ..context import Context
from ..errors import invalid
from ..identity.actor import Actor
from ..tools import catalogue
from ..wire_spend import SpendEstimateIn
from .prices import Price, PriceList


def price_of(context: Context, session: Session, actor: Actor, prices: PriceList, asked: SpendEstimateIn) -> Price:
    """Problem where there is no such profile or tool for this caller."""
    if asked.kind == "server":
        profile = prices.server(asked.profile) if asked.profile else default_profile(prices.servers)
        if profile is None or not profile.allows(actor.groups):
            raise invalid("unknown_profile", "There is no server profile of that name for you.", field="profile")
        return prices.of_server(profile.name)
    if not asked.tool:
        raise invalid("no_tool", "Say which tool would run.", field="tool")
    needs = catalogue.wanted(context, session, actor, asked.tool, asked.version).manifest.resources
    price = prices.of_run(needs.cpu, needs.memory, needs.gpu)
    return price if price.per_hour is None else replace(price, per_hour=price.per_hour * asked.runs)
