"""The report of a sample as one page: no script, nothing from elsewhere, light or dark as the reader has it."""

from __future__ import annotations

from html import escape
from typing import Any

from charts import bars, lines, quality

STYLE = """
:root { color-scheme: light dark; --paper: #fcfcfd; --card: #ffffff; --ink: #1c2330; --soft: #5b6677; --rule: #dfe3ea;
  --before: #8a94a6; --after: #1769d2; --good: #dff3e4; --fair: #fdf3d7; --poor: #fbe3e0;
  --a: #2a9d4a; --c: #1769d2; --g: #b7791f; --t: #c4384b; --n: #8a94a6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171d; --card: #1c2129; --ink: #e8ecf3; --soft: #a2acbb;
  --rule: #333b47; --before: #7d8899; --after: #6cabff; --good: #17301f; --fair: #352d17; --poor: #3a2023;
  --a: #5cc97a; --c: #6cabff; --g: #e0ac52; --t: #f07a8a; --n: #8a94a6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { font-size: 25px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 10px; } h1, h2 { overflow-wrap: anywhere; }
p { margin: 0 0 10px; } .soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 18px 0; }
.card, figure { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 14px; margin: 0; }
.card b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.card small { font-size: 14px; font-weight: 400; color: var(--soft); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 14px; }
figcaption { font-weight: 600; } figure .soft { font-size: 13px; margin: 0; } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .key i { display: inline-block; width: 12px; height: 3px;
  border-radius: 2px; margin: 0 5px 3px 12px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } .scroll { overflow-x: auto; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
"""
ROWS = (("reads", "Reads", "count"), ("bases", "Bases", "count"), ("mean_length", "Mean length (bases)", "number"),
        ("shortest", "Shortest (bases)", "count"), ("longest", "Longest (bases)", "count"),
        ("mean_quality", "Mean quality (Phred)", "number"), ("q20_share", "Bases of Q20 or better", "share"),
        ("q30_share", "Bases of Q30 or better", "share"), ("gc_share", "G and C", "share"),
        ("n_bases", "Unknown bases (N)", "count"))


def page(told: dict[str, Any]) -> str:
    files = told["files"]
    names = " and ".join(escape(one["name"]) for one in files)
    body = [f"<h1>{names}</h1>", f'<p class="soft">{_rules(told["rules"])}</p>', _cards(told)]
    for one in files:
        body += [f"<h2>{escape(one['name'])}</h2>" if len(files) > 1 else "<h2>Before and after</h2>", *_notes(one), _table(one),
                 '<h2>How good the reads are</h2><p class="soft key"><i style="background:var(--before)"></i>before'
                 '<i style="background:var(--after)"></i>after trimming</p>', _figures(one)]
    return ("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
            f"content=\"width=device-width\"><title>Quality of {names}</title><style>{STYLE}</style></head>"
            f"<body><main>{''.join(body)}</main></body></html>\n")


def _rules(rules: dict[str, float]) -> str:
    said = [f"Reads end where the mean quality of {rules['window']:g} bases falls below {rules['window_quality']:g}"
            if rules["window_quality"] > 0 else "Reads are not cut"]
    said.append(f"shorter ones than {rules['shortest']:g} bases are left out")
    if rules["expected_errors"] > 0:
        said.append(f"so are those with more than {rules['expected_errors']:g} expected errors")
    return "; ".join(said) + "."


def _cards(told: dict[str, Any]) -> str:
    kind = "pairs" if "pairs" in told else "reads"
    fate = told[kind]
    total = sum(fate.values())
    bases = [sum(one[when]["bases"] for one in told["files"]) for when in ("before", "after")]
    cards = [(f"{kind.capitalize()} given", f"{total:,}"),
             ("Kept", f"{fate['kept']:,} <small>{_share(fate['kept'], total)}</small>"),
             ("Too short", f"{fate['too_short']:,}")]
    if told["rules"]["expected_errors"] > 0:
        cards.append(("Too many errors", f"{fate['too_many_errors']:,}"))
    cards += [("Bases kept", _share(bases[1], bases[0])), ("Encoding", escape(told["files"][0]["encoding"].partition(",")[0]))]
    return '<div class="cards">' + "".join(f'<div class="card">{title}<b>{value}</b></div>' for title, value in cards) + "</div>"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _notes(one: dict[str, Any]) -> list[str]:
    found = [f"{count:,} reads ({_share(count, one['before']['reads'])}) hold the adapter “{name}”."
             for name, count in one["adapters"].items() if count > one["before"]["reads"] / 1000]
    return [f'<p>{" ".join(found)} It is not removed here.</p>'] if found else []


def _table(one: dict[str, Any]) -> str:
    rows = "".join(f"<tr><td>{title}</td>" + "".join(f"<td>{_text(one[when][name], kind)}</td>" for when in ("before", "after"))
                   + "</tr>" for name, title, kind in ROWS)
    rows += f"<tr><td>Reads that were cut</td><td></td><td>{one['cut']:,}</td></tr>"
    return f'<div class="scroll"><table><tr><th></th><th>Before</th><th>After</th></tr>{rows}</table></div>'


def _text(value: float, kind: str) -> str:
    return {"count": f"{value:,.0f}", "number": f"{value:,.1f}", "share": f"{value:.1%}"}[kind]


def _figures(one: dict[str, Any]) -> str:
    before, after = one["before"], one["after"]
    figures = [
        ("Quality along the read, before", "Median, half and four fifths of the reads; green from Q28, yellow from Q20.",
         quality(before)),
        ("Quality along the read, after", "The same for what is kept.", quality(after)),
        ("Reads by mean quality", "A hump on the left is a share of bad reads.",
         bars(before["reads_by_mean_quality"], after["reads_by_mean_quality"], "Phred")),
        ("Bases along the read, before", "Four level lines are usual; waves at the beginning are the primers'.", lines(before)),
        ("Reads by share of G and C", "One smooth hill for one genome; a community has several.",
         bars(before["reads_by_gc_percent"], after["reads_by_gc_percent"], "% G and C")),
        ("Reads by length", "", bars(*_lengths(before, after), "bases")),
    ]
    return '<div class="grid">' + "".join(
        f'<figure><figcaption>{title}</figcaption><p class="soft">{text}</p>{drawing}</figure>'
        for title, text, drawing in figures) + "</div>"


def _lengths(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[int, int], dict[int, int]]:
    """At most about 100 bars: each holds lengths up to the one it is named after."""
    width = max(1, -(-before["longest"] // 100))
    groups: list[dict[int, int]] = []
    for one in (before, after):
        grouped: dict[int, int] = {}
        for length, count in one["reads_by_length"].items():
            place = -(-length // width) * width
            grouped[place] = grouped.get(place, 0) + count
        groups.append(grouped)
    return groups[0], groups[1]
