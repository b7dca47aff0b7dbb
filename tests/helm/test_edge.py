"""The proxy with the command and environment of the chart's pod, as a real process: TLS 1.3 and nothing below it."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator

import pytest
from support.certificates import certificate
from support.helm import LEAST, environ, pods, render
from support.installation import ROOT, free_ports, until
from voxelhub_hub.children import node

PROGRAM = ROOT / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port. Paths and ports of the pod are replaced by ones of this machine, nothing else is."""
    folder, (port, api) = tmp_path_factory.mktemp("edge"), free_ports(2)
    cert, key = certificate(folder)
    secret = {"https": {"type": "secret", "secret": {"name": "tls"}}}
    container = pods(render({**LEAST, "proxy": secret}))["proxy"]["spec"]["containers"][0]
    name, *arguments = container["args"]
    assert name == PROGRAM.name
    here = {"--ip=0.0.0.0": "--ip=127.0.0.1", "--api-ip=0.0.0.0": "--api-ip=127.0.0.1", "--port=8443": f"--port={port}",
            "--api-port=8001": f"--api-port={api}", "--ssl-cert=/tls/tls.crt": f"--ssl-cert={cert}",
            "--ssl-key=/tls/tls.key": f"--ssl-key={key}"}
    assert set(here) <= set(arguments)
    process = subprocess.Popen([node(), PROGRAM, *(here.get(argument, argument) for argument in arguments)],
                               env={"PATH": os.environ["PATH"], "CONFIGPROXY_AUTH_TOKEN": "x", **environ(container)})
    try:
        until(lambda: handshake(port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3", 30, "the proxy")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def handshake(port: int, version: ssl.TLSVersion) -> str:
    """The version that both sides agreed on, or the reason why there is none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain) as secure:
            return secure.version() or ""
    except ssl.SSLError as error:
        return error.reason or ""
    except OSError as error:
        return type(error).__name__


def test_tls_1_3_is_spoken(listener: int) -> None:
    assert handshake(listener, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


def test_tls_1_2_is_refused_by_the_proxy_itself(listener: int) -> None:
    assert handshake(listener, ssl.TLSVersion.TLSv1_2) == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_a_browser_that_speaks_plain_http_gets_nothing(listener: int) -> None:
    with socket.create_connection(("127.0.0.1", listener), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 2")


def test_behind_an_ingress_the_proxy_ends_no_tls() -> None:
    container = pods(render(LEAST))["proxy"]["spec"]["containers"][0]
    assert "--port=8000" in container["args"] and not [a for a in container["args"] if a.startswith("--ssl")]
    assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTP"
