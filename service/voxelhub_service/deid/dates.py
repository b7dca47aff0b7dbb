"""Days as people write them in tables, and the same day moved, in the same writing."""

from __future__ import annotations

import datetime as dt
import re

TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
# Year first; or day and month in an order that only the whole column tells; or the month as a word.
YEAR_FIRST = re.compile(rf"(?P<y>(?:18|19|20)\d{{2}})(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}})(?P<t>{TIME})")
COMPACT = re.compile(rf"(?P<y>(?:19|20)\d{{2}})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?P<t>{TIME})")
YEAR_LAST = re.compile(rf"(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?P=s)(?P<y>(?:18|19|20)\d{{2}}|\d{{2}})(?P<t>{TIME})")
WORDED = re.compile(
    r"(\d{1,2}[. -]{1,2})?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[a-zä]{0,7}[. ,-]{1,2}"
    r"(\d{1,2}[, ]{1,2})?(\d{4}|\d{2})",
    re.IGNORECASE,
)


def is_date(value: str) -> bool:
    """A day, with or without a time. A year alone is none."""
    if WORDED.fullmatch(value):
        return True
    if match := YEAR_FIRST.fullmatch(value) or COMPACT.fullmatch(value):
        return _day(match["y"], match["m"], match["d"]) is not None
    if match := YEAR_LAST.fullmatch(value):
        a, b = int(match["a"]), int(match["b"])
        return 1 <= a <= 31 and 1 <= b <= 31 and min(a, b) <= 12
    return False


def moved(value: str, days: int, day_first: bool) -> str | None:
    """The time of the day goes. None for a day that cannot be moved."""
    if match := YEAR_FIRST.fullmatch(value):
        day, pattern = _day(match["y"], match["m"], match["d"]), f"%Y{match['s']}%m{match['s']}%d"
    elif match := COMPACT.fullmatch(value):
        day, pattern = _day(match["y"], match["m"], match["d"]), "%Y%m%d"
    elif (match := YEAR_LAST.fullmatch(value)) and len(match["y"]) == 4:
        d, m = (match["a"], match["b"]) if day_first else (match["b"], match["a"])
        mark = match["s"]
        day, pattern = _day(match["y"], m, d), f"%d{mark}%m{mark}%Y" if day_first else f"%m{mark}%d{mark}%Y"
    else:
        return None
    if day is None:
        return None
    try:
        return (day + dt.timedelta(days=days)).strftime(pattern)
    except (OverflowError, ValueError):
        return None


def order(value: str) -> bool | None:
    """Whether the day stands before the month: True, False, or None when this value does not tell."""
    match = YEAR_LAST.fullmatch(value)
    if match is None:
        return None
    if int(match["a"]) > 12:
        return True
    if int(match["b"]) > 12:
        return False
    return True if match["s"] == "." else None


def _day(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:
        return None
