"""The benchmarks measure what they say: statistics, the page they write, and a small listing against the real service."""

from __future__ import annotations

import httpx
import pytest
from benchmarks import deid, listing, measure, upload
from benchmarks.seeding import seed
from support.live import live_service


@pytest.mark.parametrize(("values", "share", "expected"), [
    ([1.0], 0.95, 1), (list(range(1, 101)), 0.95, 95), (list(range(1, 101)), 0.5, 50), ([3, 1, 2], 1.0, 3), ([3, 1, 2], 0.0, 1),
])
def test_percentile_is_nearest_rank(values, share, expected):
    assert measure.percentile(values, share) == expected


def test_a_section_replaces_itself_and_keeps_the_others_in_order(tmp_path):
    page = tmp_path / "bench.md"
    measure.write_section("listing", measure.section("listing", "old", 0), page)
    measure.write_section("login", measure.section("login", "first", 0), page)
    measure.write_section("listing", measure.section("listing", "new", 0), page)
    text = page.read_text()
    assert text.index("first") < text.index("new")
    assert "old" not in text
    assert text.count("## ") == 2
    assert text.startswith("# Measured")


def test_every_sort_and_filter_lists_what_it_should(tmp_path):
    with live_service(tmp_path) as service:
        seed(service.context, 2_000)
        with httpx.Client(base_url=service.url, headers={"Authorization": "Bearer token-of-bob"}, trust_env=False) as client:
            times = listing.ask(client, rounds=1)  # asserts totals and page lengths itself
            text = listing.report({"through the proxy": times, "at the service": times}, 2_000)
    assert len(times) == len(listing.FILTERS) * 12
    assert text.count("\n| ") > 2 * len(listing.FILTERS) + 12


def test_the_plain_server_stores_what_curl_sends(tmp_path):
    source = tmp_path / "source.bin"
    upload.make_file(source, upload.MIB)
    with upload.plain_server(tmp_path / "plain") as (url, pid):
        assert upload.send_plain(source, url, pid)["send"] > 0
    assert (tmp_path / "plain/file").read_bytes() == source.read_bytes()


def test_deidentification_is_measured_on_files_that_hold_what_is_searched_for(tmp_path):
    """One tool over a few files; and the count of what is left notices files that nobody cleaned."""
    source, planted = deid.make_files(tmp_path / "in", 3)
    (tmp_path / "out").mkdir()
    wall, cpu = deid.run("ours", source, tmp_path / "out")
    assert wall > 0 and cpu > 0
    assert deid.tokens_left(tmp_path / "out", planted) == (0, 0, 0)
    words, places, broken = deid.tokens_left(source, planted)
    assert words > 40 and places > 15 and broken == 0
    assert len((tmp_path / "out/report.jsonl").read_text().splitlines()) == 3
