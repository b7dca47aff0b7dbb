"""Debian's Chromium for the browser tests, and the one rule they all keep: no request leaves this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect, sync_playwright

PROGRAM = Path("/usr/bin/chromium")
PATIENCE = 120_000  # ms; the machine of the tests has two busy cores
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    # Without a graphics card SwiftShader would also draw each page: only WebGL needs it, and the rest is four times cheaper so.
    "--disable-gpu-compositing", "--disable-gpu-rasterization",
]
SCREENSHOTS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


class Outside(list[str]):
    """Requests to other hosts. The test that owns the browser asserts that it stays empty."""

    def __init__(self, *ours: str, zone: str = "") -> None:
        self.ours, self.below = {"127.0.0.1", "localhost", zone, *ours}, f".{zone}"

    def watch(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and not self.is_ours(address.hostname or ""):
            self.append(request.url)

    def is_ours(self, host: str) -> bool:
        return host in self.ours or (len(self.below) > 1 and host.endswith(self.below))


@contextmanager
def chromium(
    *, dark: bool = False, width: int = 1440, height: int = 900, node: str = "", zone: str = "",
) -> Iterator[tuple[BrowserContext, Outside]]:
    """A fresh browser without history; skips, saying why, where Chromium is absent.

    `node` is the address of a test cluster's node: ours too, with a certificate that nobody knows. `zone` and all names below
    it are the node as well.
    """
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not installed (as root, `make test` installs it)")
    outside = Outside(node, zone=zone)
    names = [f"--host-resolver-rules=MAP {zone} {node},MAP *.{zone} {node}"] if zone else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(PROGRAM), args=[*FLAGS, *names])
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
                                      ignore_https_errors=bool(node))
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)  # of the whole process: no test may leave less to the next one
        context.on("request", outside.watch)
        yield context, outside
        browser.close()


class Album:
    """Screenshots of a journey, numbered; kept under docs/ when VOXELHUB_SCREENSHOTS is set, else beside the test."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self.prefix = prefix
        self.folder = SCREENSHOTS if os.environ.get("VOXELHUB_SCREENSHOTS") else folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.number = 0

    def take(self, page: Page, name: str) -> None:
        self.number += 1
        page.screenshot(path=self.folder / f"{self.prefix}{self.number:02d}-{name}.png", animations="disabled")
