"""FASTQ quality and trimming, as its environment runs it, against counts made read by read, and every kind of broken file."""

import csv
import gzip
import io
import itertools
import json
import random
import re
from pathlib import Path

import pytest
from support.chromium import chromium
from support.tools import SHARED, Ran, installed, run_tool

pytestmark = pytest.mark.skipif(not installed("fastq-qc"), reason="the tool's environment is not installed")
FASTQ = SHARED / "metagenomics" / "fastq"
shared = pytest.mark.skipif(not FASTQ.exists(), reason=f"{FASTQ} is not there")

Record = tuple[str, str, list[int]]  # title, letters, Phred


def records(seed: int, count: int, longest: int = 80, good: int = 34) -> list[Record]:
    """Reads that become bad at a place of their own, some from the beginning."""
    rng, made = random.Random(seed), []
    for number in range(count):
        length, bad = rng.randint(1, longest), rng.randint(-20, 2 * longest)
        phred = [max(0, min(40, round(rng.gauss(8 if at > bad else good, 4)))) for at in range(length)]
        made.append((f"R:{number} 1:N:0", "".join(rng.choices("ACGTN", (5, 5, 5, 5, 1), k=length)), phred))
    return made


def text(reads: list[Record], offset: int = 33, end: str = "\n", wrap: int = 0, repeat: bool = False) -> bytes:
    """`wrap`: letters and qualities on lines of this length."""
    def laid(line: str) -> str:
        return end.join(line[at:at + wrap] for at in range(0, len(line), wrap)) if wrap else line

    return "".join(f"@{title}{end}{laid(letters)}{end}+{title if repeat else ''}{end}"
                   f"{laid(''.join(chr(q + offset) for q in phred))}{end}" for title, letters, phred in reads).encode()


def save(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(data: bytes) -> list[Record]:
    """Four lines a record, Sanger."""
    lines = data.decode().splitlines()
    return [(lines[at][1:], lines[at + 1], [ord(one) - 33 for one in lines[at + 3]]) for at in range(0, len(lines), 4)]


def trimmed(ran: Ran, name: str) -> list[Record]:
    return read(gzip.decompress(ran.files()[f"{name}_trimmed.fastq.gz"]))


def by_hand(reads: list[Record], window=4, quality=20.0, shortest=36, errors=0.0) -> list[Record]:
    """The rules as the manifest tells them, one read after the other."""
    kept = []
    for title, letters, phred in reads:
        width = min(window, len(phred))
        ends = [at for at in range(len(phred) - width + 1) if sum(phred[at:at + width]) < quality * width]
        end = ends[0] if ends and quality > 0 else len(phred)
        if end >= shortest and not (errors and sum(10 ** (-q / 10) for q in phred[:end]) > errors):
            kept.append((title, letters[:end], phred[:end]))
    return kept


def table(ran: Ran) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ran.files()["quality.csv"].decode())))


@pytest.mark.parametrize("arguments", [
    {}, {"window": 1}, {"window": 10, "window_quality": 28.5, "shortest": 20}, {"window_quality": 0, "shortest": 1},
    {"window": 100, "shortest": 5}, {"expected_errors": 0.6, "shortest": 10},
], ids=itertools.count())
def test_what_is_cut_and_what_is_left_out(tmp_path, arguments):
    reads = records(1, 3000)
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [save(tmp_path / "1-a.fastq", text(reads))]}, **arguments)
    assert ran.code == 0, ran.said
    names = {"window_quality": "quality", "expected_errors": "errors"}
    wanted = by_hand(reads, **{names.get(name, name): value for name, value in arguments.items()})
    assert trimmed(ran, "a") == wanted and len(wanted) > 0
    (row,) = table(ran)
    assert (int(row["reads_before"]), int(row["kept"]), int(row["reads_after"])) == (3000, len(wanted), len(wanted))
    assert int(row["kept"]) + int(row["too_short"]) + int(row["too_many_errors"]) == 3000
    assert int(row["bases_after"]) == sum(len(letters) for _, letters, _ in wanted)
    before = {title: letters for title, letters, _ in reads}
    assert int(row["cut"]) == sum(len(letters) < len(before[title]) for title, letters, _ in wanted)


def test_every_number_of_the_report_is_counted_again(tmp_path):
    reads = records(2, 700, longest=900, good=36)  # beyond 500, positions are counted in groups
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [save(tmp_path / "1-a.fq.gz", text(reads))]})
    (one,) = json.loads(ran.files()["a_quality.json"])["files"]
    for told, expected in ((one["before"], reads), (one["after"], by_hand(reads))):
        phred = [q for *_, some in expected for q in some]
        letters = "".join(letters for _, letters, _ in expected)
        lengths = [len(some) for *_, some in expected]
        assert (told["reads"], told["bases"], told["n_bases"]) == (len(expected), len(phred), letters.count("N"))
        assert (told["shortest"], told["longest"]) == (min(lengths), max(lengths))
        assert told["mean_quality"] == pytest.approx(sum(phred) / len(phred))
        assert told["q30_share"] == pytest.approx(sum(q >= 30 for q in phred) / len(phred))
        strong, called = (sum(map(letters.count, some)) for some in ("GC", "ACGT"))
        assert told["gc_share"] == pytest.approx(strong / called)
        assert {int(length): count for length, count in told["reads_by_length"].items()} == {
            length: lengths.count(length) for length in set(lengths)}
        assert sum(told["reads_by_mean_quality"]) == len(expected)
        assert told["positions"][:500] == list(range(1, 501))
        for at in (0, 17, 499):
            here = sorted(some[at] for *_, some in expected if len(some) > at)
            assert told["quality_by_position"][at][2] == here[(len(here) + 1) // 2 - 1]
            column = [letters[at] for _, letters, _ in expected if len(letters) > at]
            assert told["letters_by_position"][at] == [column.count(one) for one in "ACGTN"]
        assert sum(map(sum, told["letters_by_position"])) == len(phred)


@pytest.mark.parametrize("layout", [
    "plain", "gzip", "two gzips", "windows", "no last line end", "wrapped", "titles twice", "mixed", "blank lines at the end",
    "a read of no length"])
def test_layouts_of_the_same_reads(tmp_path, layout):
    reads = records(3, 5000)
    if layout == "a read of no length":
        reads[2000] = ("empty", "", [])
    half = len(reads) // 2
    data = {
        "windows": text(reads, end="\r\n"), "no last line end": text(reads)[:-1], "wrapped": text(reads, wrap=30),
        "titles twice": text(reads, repeat=True), "mixed": text(reads[:half]) + text(reads[half:], wrap=17),
        "blank lines at the end": text(reads) + b"\n\n", "two gzips": b"",
    }.get(layout, text(reads))
    path = save(tmp_path / ("1-a.fastq.gz" if layout == "gzip" else "1-a.fastq"), data)
    if layout == "two gzips":
        path.write_bytes(gzip.compress(text(reads[:half])) + gzip.compress(text(reads[half:])))
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [path]})
    assert ran.code == 0, ran.said
    assert trimmed(ran, "a") == by_hand(reads) and int(table(ran)[0]["reads_before"]) == len(reads)


@pytest.mark.parametrize(("encoding", "offset", "low"), [("sanger", 33, 0), ("illumina", 64, 0), ("solexa", 64, -5)])
def test_encodings_are_found_out_and_written_as_sanger(tmp_path, encoding, offset, low):
    """Solexa's numbers are odds: those below 0 become chances of an error that Phred can say."""
    rng = random.Random(4)
    reads = [(f"r{number}", "ACGT" * 15, [rng.randint(low, 40) for _ in range(60)]) for number in range(200)]
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [save(tmp_path / "1-a.fastq", text(reads, offset))]}, window_quality=0)
    assert ran.code == 0 and table(ran)[0]["encoding"] == encoding, ran.said
    solexa = {-5: 1, -4: 1, -3: 2, -2: 2, -1: 3, 0: 3, 1: 4, 2: 4, 3: 5, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 10}
    known = solexa if encoding == "solexa" else {}
    expected = [(title, letters, [known.get(q, q) for q in phred]) for title, letters, phred in reads]
    assert trimmed(ran, "a") == expected


def test_an_encoding_that_does_not_fit_names_the_record(tmp_path):
    reads = [("first", "ACGT", [40, 40, 40, 40]), ("second", "ACGT", [40, 2, 40, 40])]
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [save(tmp_path / "1-a.fastq", text(reads))]}, encoding="illumina")
    assert ran.code == 1 and "Record 2 of “a.fastq” has a quality that Illumina 1.3 to 1.7" in ran.error, ran.said


def test_pairs_stay_pairs(tmp_path):
    first, second = records(5, 4000), records(6, 4000)
    second = [(title.replace(" 1:", " 2:"), *rest) for title, *rest in second]
    paths = [save(tmp_path / "1-s_R2.fastq.gz", text(second)), save(tmp_path / "2-s_R1.fastq", text(first)),
             save(tmp_path / "3-alone.fastq", text(first[:50]))]
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": paths}, shortest=20)
    assert ran.code == 0, ran.said
    one, two = ({title.split()[0]: (letters, phred) for title, letters, phred in by_hand(reads, shortest=20)}
                for reads in (first, second))
    both = [title.split()[0] for title, *_ in first if title.split()[0] in one and title.split()[0] in two]
    assert [title.split()[0] for title, *_ in trimmed(ran, "s_R1")] == both == [
        title.split()[0] for title, *_ in trimmed(ran, "s_R2")]
    assert [(letters, phred) for _, letters, phred in trimmed(ran, "s_R2")] == [two[name] for name in both]
    assert [row["file"] for row in table(ran)] == ["s_R1.fastq", "s_R2.fastq.gz", "alone.fastq"]
    assert {"s_R1_quality.html", "alone_quality.html"} <= set(ran.files()) and "s_R2_quality.html" not in ran.files()
    single = run_tool("fastq-qc", tmp_path / "single", {"reads": paths[:2]}, pairing="single", shortest=20)
    assert trimmed(single, "s_R1") == by_hand(first, shortest=20)


@pytest.mark.parametrize(("change", "sentence"), [
    (lambda reads: reads[:-1], "“b.fastq” has fewer reads than “a.fastq”"),
    (lambda reads: [*reads[:7], ("other", *reads[7][1:]), *reads[8:]],
     "Record 8 of “a.fastq” and of “b.fastq” have different names"),
], ids=itertools.count())
def test_what_is_no_pair_is_said(tmp_path, change, sentence):
    reads = records(7, 3000)
    paths = [save(tmp_path / "1-a.fastq", text(reads)), save(tmp_path / "2-b.fastq", text(change(reads)))]
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": paths}, pairing="order")
    assert ran.code == 1 and sentence in ran.error and ran.files() == {}, ran.said
    odd = run_tool("fastq-qc", tmp_path / "odd", {"reads": [*paths, paths[0]]}, pairing="order")
    assert odd.code == 1 and odd.error == "3 files are no pairs. Give an even number, or pair by name."


def test_equal_inputs_give_equal_bytes(tmp_path):
    path = save(tmp_path / "1-a.fastq", text(records(8, 2000)))
    one, two = (run_tool("fastq-qc", tmp_path / name, {"reads": [path]}) for name in ("one", "two"))
    assert one.code == 0 and one.files() == two.files() and len(one.files()) == 4


BROKEN = {
    "error_diff_ids": r"Record \d+ gives two different titles", "error_double_seq": r"Record \d+ .*",
    "error_no_qual": r"Record \d+ has \d+ letters and 0 qualities", "error_qual_escape": r"The qualities of record \d+ hold",
    "error_qual_space": r"The qualities of record \d+ hold", "error_qual_unit_sep": r"The qualities of record \d+ hold",
    "error_short_qual": r"Record \d+ has \d+ letters and \d+ qualities", "error_tabs": r"The sequence of record \d+ holds",
    "error_trunc_at_qual": r"Record \d+ has \d+ letters and 0 qualities; the file ends there",
    "error_trunc_in_plus": r"Record \d+ gives two different titles, or ends", "error_trunc_in_seq": r"It ends within record \d+",
}


@shared
def test_every_broken_file_is_refused_with_its_record_and_reason(tmp_path):
    found = sorted(FASTQ.glob("error_*.fastq"))
    assert {path.stem for path in found} == set(BROKEN)
    for path in found:
        for packed in (False, True):
            given = save(tmp_path / f"{path.stem}{packed}" / f"1-{path.name}{'.gz' if packed else ''}", path.read_bytes())
            ran = run_tool("fastq-qc", given.parent / "out", {"reads": [given]})
            name = re.escape(given.name[2:])
            assert ran.code == 1 and re.match(f"“{name}” is no valid FASTQ file. {BROKEN[path.stem]}", ran.error), ran.said
            assert ran.files() == {} and "Traceback" not in ran.said and str(tmp_path) not in ran.said


@shared
def test_every_valid_file_is_taken_in_whole(tmp_path):
    found = sorted(path for path in FASTQ.iterdir() if not path.name.startswith("error_"))
    paths = [save(tmp_path / f"{number}-{path.name}", b"") for number, path in enumerate(found, 1)]
    for given, path in zip(paths, found, strict=True):
        given.write_bytes(path.read_bytes())
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": paths}, window_quality=0, shortest=1)
    assert ran.code == 0, ran.said
    encodings = {row["file"]: row["encoding"] for row in table(ran)}
    assert set(encodings) == {path.name for path in found} and all(int(row["reads_before"]) > 0 for row in table(ran))
    assert encodings["illumina_full_range_original_illumina.fastq"] == "illumina"
    assert all(encoding == "sanger" for name, encoding in encodings.items() if "sanger" in name)


@pytest.mark.parametrize(("data", "sentence"), [
    (b"", "“a.fastq” is no valid FASTQ file. It holds no record."), (b"\n\n", "It holds no record."),
    (b">a\nACGT\n", "Record 1 does not begin with “@”."), (b"\x00\x01\x02" * 50, "Record 1 does not begin with “@”."),
    (b"@\nAC\n+\nII\n", "The title of record 1 is empty"),
    (b"@a\nAC\n+\nII\n\n@b\nAC\n+\nII\n", "There is an empty line before record 2."),
    (gzip.compress(b"@a\nAC\n+\nII\n" * 4000)[:-20], "“a.fastq” is broken"),
], ids=itertools.count())
def test_what_is_no_fastq_is_said(tmp_path, data, sentence):
    path = tmp_path / "1-a.fastq"
    path.write_bytes(data)
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [path]})
    assert ran.code == 1 and sentence in ran.error and ran.files() == {} and "Traceback" not in ran.said, ran.said


def test_adapters_are_found(tmp_path):
    reads = [(f"r{number}", ("ACGT" * 8 + "AGATCGGAAGAGC" + "ACG" * 5) if number % 4 == 0 else "ACGT" * 15, [40] * 60)
             for number in range(400)]
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [save(tmp_path / "1-a.fastq", text(reads))]})
    assert "100 reads (25.0%) hold the adapter “Illumina universal”." in ran.files()["a_quality.html"].decode()


@pytest.mark.parametrize("dark", [False, True])
def test_the_report_is_one_page_for_light_and_dark(tmp_path, dark):
    path = save(tmp_path / "1-x&y <i>.fastq", text(records(9, 500)))
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [path]})
    page_text = ran.files()["x_y_i_quality.html"].decode()
    assert "<script" not in page_text and "http" not in page_text and "x&amp;y &lt;i&gt;.fastq" in page_text
    with chromium(dark=dark, width=420) as (context, outside):
        page = context.new_page()
        page.goto((tmp_path / "out" / "x_y_i_quality.html").as_uri())
        assert page.locator("svg[aria-label]").count() == 6 and page.locator("h1").inner_text() == "x&y <i>.fastq"
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour))) < 200) == dark
    assert not outside


def sample(path: Path, size: int) -> int:
    """A file of about `size` bytes of 150 bases a read; how many reads it has."""
    block = text([(f"SIM:1:{title}", "ACGT" * 37 + "AC", [37] * 120 + [12] * 30) for title, *_ in records(10, 2000)])
    times = size // len(block) + 1
    with path.open("wb") as file:
        for _ in range(times):
            file.write(block)
    return 2000 * times




@pytest.mark.parametrize("size", [30_000_000, pytest.param(300_000_000, marks=pytest.mark.slow)])
def test_a_large_sample_in_bounded_memory(tmp_path, size):
    """A raw sample of sequencing is about 300 MB. What it takes does not grow with it."""
    count = sample(tmp_path / "1-a.fastq", size)
    limit = ["prlimit", f"--data={400 * 1024**2}"]
    ran = run_tool("fastq-qc", tmp_path / "out", {"reads": [tmp_path / "1-a.fastq"]}, before=limit)
    assert ran.code == 0, ran.said
    (row,) = table(ran)
    assert (int(row["reads_before"]), int(row["kept"]), int(row["bases_before"])) == (count, count, 150 * count)
    assert int(row["bases_after"]) < int(row["bases_before"])
