"""A page for people, and the steps of a test that walks it: neither changes without the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

HEADING = re.compile(r"#{1,4} (.+)")
BOLD = re.compile(r"\*\*(.+?)\*\*")


def sections(text: str) -> dict[str, list[str]]:
    """The bold phrases of a Markdown text by heading, in reading order; what stands in code is not read."""
    found: dict[str, str] = {}
    title = ""
    for line in re.sub(r"```.*?```", "", text, flags=re.S).splitlines():
        if heading := HEADING.fullmatch(line):
            title = heading[1]
            assert title not in found, f"two sections are called “{title}”"
        found[title] = f"{found.get(title, '')} {line}"
    return {title: BOLD.findall(re.sub(r"`[^`]*`", "", body)) for title, body in found.items()}


def disagreements(page: Mapping[str, Sequence[str]], steps: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each phrase without a step, and for each step whose phrase the page does not have at that place."""
    told = []
    for title in [*page, *(title for title in steps if title not in page)]:
        said, done = page.get(title, ()), steps.get(title, ())
        for _, a, b, c, d in SequenceMatcher(None, said, done, autojunk=False).get_opcodes():
            if list(said[a:b]) != list(done[c:d]):
                told += [f"“{title}” of the page names **{one}**, for which the test has no step there." for one in said[a:b]]
                told += [f"The test has a step **{one}**, which “{title}” of the page does not name there." for one in done[c:d]]
    return told
