"""A study as one HTML file that asks no other computer for anything."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .built import module

# What the page may do: its own script, pictures that are in it. Nothing can be fetched, sent or framed.
POLICY = ("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
          "form-action 'none'")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
html {{ color-scheme: light dark; background: light-dark(#ffffff, #16181c); }}
body {{ margin: 0 auto; padding: 20px; max-width: 1400px; }}
</style>
</head>
<body>
<script type="application/voxelhub-study+json">{study}</script>
<script type="module">{module}</script>
</body>
</html>
"""


def checked(study: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same. Raises ValueError where it is no study."""
    if study.get("format") != "voxelhub-study/1":
        raise ValueError(f"This is no study that can be shown: its format is {study.get('format')!r}, not 'voxelhub-study/1'.")
    return study


def as_json(study: Mapping[str, Any]) -> str:
    """Raises ValueError for a number that JSON does not know."""
    return json.dumps(checked(study), separators=(",", ":"), allow_nan=False)


def page(study: Mapping[str, Any], title: str = "Plans") -> str:
    """The whole page. What the study says can never become a part of the page itself."""
    text = as_json(study).replace("<", "\\u003c")
    script = module().replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return PAGE.format(policy=POLICY, title=html.escape(title), study=text, module=script)


def write_page(study: Mapping[str, Any], path: Path | str, title: str = "Plans") -> Path:
    """Writes the page; a file of that name is replaced only by a whole one."""
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    part.write_text(page(study, title), "utf-8")
    return part.replace(target)
