"""A pattern of a manifest is as hostile as the manifest: none may hold up the service."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.brought import tool_files
from voxelhub_service.tools.arguments import ArgumentError, complete
from voxelhub_service.tools.patterns import _is_quick, fits
from voxelhub_service.tools.scanning import scan

SLOW = ["(a+)+$", "(a|a)*$", "^(?:a|aa)+$", "(a?a?)*$", "a?" * 30 + "a" * 30 + "b", "^(a*)*b", r"(.*)*\1b"]


pytestmark = pytest.mark.timeout(240)  # a search that is not cut off takes longer than anybody waits


@pytest.mark.parametrize("pattern", SLOW)
def test_what_would_take_for_ever_is_cut_off(pattern):
    assert not _is_quick(pattern)
    assert fits(pattern, "a" * 40 + "!") in (False, True)


def test_two_repetitions_over_the_longest_text_are_quick():
    assert _is_quick("^[a-z]*[a-z]*b") and not fits("^[a-z]*[a-z]*b", "a" * 2000)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["^[a-z]+$", "[0-9]{1,3}", "^[a-z]+(-[a-z]+)*$", "^-?[0-9]+$", "(a|b)c", "(?i)^x", "^$"]),
       st.text(alphabet="abxc-019X", max_size=12))
def test_it_is_the_search_that_everybody_knows(pattern, text):
    assert fits(pattern, text) == (re.search(pattern, text) is not None)


def test_a_check_and_a_run_go_on():
    spec = {"type": "string", "title": "Label", "default": "a" * 40 + "!", "pattern": "(a+)+$"}
    scanned = scan(tool_files(arguments={"type": "object", "properties": {"digits": spec}}))
    assert any("default of argument digits does not fit" in one.sentence for one in scanned.findings)
    with pytest.raises(ArgumentError, match="does not have the expected form"):
        complete({"type": "object", "properties": {"digits": spec}}, {})
