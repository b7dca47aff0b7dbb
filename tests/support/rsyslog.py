"""A real rsyslogd on loopback that writes each message of RFC 5424 as it came into a file."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port

PROGRAM = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")


def unavailable() -> str:
    return "" if PROGRAM else "rsyslogd is not here; tests/support/system_packages.sh installs it as root"


@contextmanager
def rsyslog(folder: Path, port: int = 0) -> Iterator[tuple[int, Path]]:
    """The port it listens on, UDP and TCP, and the file it writes."""
    assert PROGRAM
    port, received, settings = port or free_port(), folder / "received.log", folder / "rsyslog.conf"
    (folder / "work").mkdir(exist_ok=True)
    settings.write_text(f"""
global(workDirectory="{folder}/work")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imtcp" address="127.0.0.1" port="{port}")
input(type="imuxsock" Socket="{folder}/socket" CreatePath="on")
template(name="whole" type="string" string="%pri% %app-name% %msgid% %msg%\\n")
*.* action(type="omfile" file="{received}" template="whole")
""")
    process = subprocess.Popen([PROGRAM, "-n", "-f", str(settings), "-i", str(folder / "pid")],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 120
        while not (folder / "socket").exists():
            assert process.poll() is None and time.monotonic() < deadline, "rsyslogd did not start"
            time.sleep(0.1)
        yield port, received
    finally:
        process.terminate()
        process.wait(60)
