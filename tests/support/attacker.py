"""A tool that attacks: its argument picks how. What it achieves it prints as BREACH; what was tried, as tried N."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TIME, SHORT, MEMORY, PROCESSES, OUTPUT = 120, 20, 256 * 1024**2, 64, 16 * 1024**2
MANIFEST: dict[str, Any] = {
    "manifest": 1, "name": "attacker", "version": "1.0", "title": "Attacker", "description": "Tries what no tool may.",
    "inputs": [{"name": "table", "title": "Table", "accepts": [{"data_type": "*", "file_format": "*"}]}],
    "arguments": {"type": "object", "properties": {
        "attack": {"type": "string", "title": "Which"},
        "targets": {"type": "array", "title": "What the test knows of the machine", "items": {"type": "string"}, "default": []},
    }},
    "outputs": [{"name": "tables", "title": "Tables", "data_type": "table", "file_format": "csv", "path": "**/*.csv"}],
    "resources": {"cpu": 1, "memory": MEMORY, "time": TIME, "pids": PROCESSES, "output": {"base": OUTPUT, "per_input_byte": 0}},
    "environment": "tool-dicom-to-nifti",
    "command": ["python", "attack.py", "{arguments.attack}", "{output}", "{inputs.table}", "{arguments.targets}"],
}
PROGRAM = r'''
import contextlib, ctypes, errno, os, signal, socket, stat, subprocess, sys, time
attack, output, table, *targets = sys.argv[1:]
tried = 0


def attempt(what, deed):
    """Runs it; a refusal by the system is what we hope for, anything that comes back is a breach."""
    global tried
    tried += 1
    try:
        got = deed()
    except (OSError, subprocess.SubprocessError):
        return
    if got is not None and got is not False:
        print("BREACH", what, repr(got)[:200], flush=True)


def leads_home(path):
    """Whether it is on the way to the environment that the tool was given, as /home is where a clone lies there."""
    return (sys.prefix + "/").startswith(os.path.realpath(path) + "/")


def read(path):
    """The target itself, and round about: through what /proc shows of other processes."""
    def look(name):
        if os.path.isdir(name):
            return [one for one in os.listdir(name) if not leads_home(os.path.join(name, one))] or None
        with open(name, "rb") as file:
            return file.read(64) or None
    for front in ("", "/proc/1/root", "/proc/self/root", "/proc/1/cwd/../../..", "/proc/self/cwd/../../.."):
        attempt(f"read {front}{path}", lambda name=front + path: look(name))


def files():
    for path in targets:
        read(path)


def network():
    for target in targets:
        host, _, port = target.rpartition(":")
        def connect(host=host, port=port):
            with socket.create_connection((host, int(port)), timeout=2) as made:
                return made.getpeername()
        def abstract(name=target):
            with socket.socket(socket.AF_UNIX) as made:
                made.settimeout(2)
                made.connect("\0" + name[1:])
                return name
        attempt(f"connect {target}", abstract if target.startswith("@") else connect)
    attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
    attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    attempt("name", lambda: socket.gethostbyname("localhost.localdomain.example"))
    others = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
    attempt("interface", lambda: [name for name in others if name != "lo"] or None)


def processes():
    mine = {os.getpid(), os.getppid(), 1}
    seen = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    attempt("list", lambda: sorted(seen - mine) or None)
    for pid in map(int, targets):
        def strike(pid=pid):
            os.kill(pid, signal.SIGKILL)
            return pid
        attempt(f"kill {pid}", lambda: strike() if pid not in mine else None)
        attempt(f"environ of {pid}", lambda pid=pid: open(f"/proc/{pid}/environ", "rb").read() if pid not in mine else None)
    libc = ctypes.CDLL(None, use_errno=True)
    attempt("user namespace", lambda: libc.unshare(0x10000000) == 0)
    attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)
    for pid in map(int, targets):
        attempt(f"ptrace {pid}", lambda pid=pid: pid not in mine and libc.ptrace(16, pid, 0, 0) == 0)
    attempt("chroot out", lambda: os.chroot("/tmp"))
    attempt("setuid", lambda: os.setuid(0) or True)
    attempt("reboot", lambda: libc.reboot(0) == 0)


def write():
    places = [line.split()[4] for line in open("/proc/self/mountinfo")]
    places += ["/", "/etc", "/usr/bin", "/proc/sys/kernel", "/run", "/sys", os.getcwd(), sys.prefix, os.path.dirname(table)]
    for place in places:
        if place in (output, "/tmp", "/var/tmp", "/dev", "/dev/shm", "/dev/pts") or place.startswith("/dev/"):
            continue
        def drop(place=place):
            name = os.path.join(place, "planted") if os.path.isdir(place) else place
            with open(name, "ab") as file:
                file.write(b"x")
            return name
        attempt(f"write {place}", drop)
    for path in (table, "attack.py", "tool.json", sys.executable, "/etc/passwd"):
        attempt(f"chmod {path}", lambda path=path: os.chmod(path, 0o777) or path)
        attempt(f"remove {path}", lambda path=path: os.unlink(path) or path)
        attempt(f"truncate {path}", lambda path=path: os.truncate(path, 0) or path)
    for name in ("core_pattern", "modprobe"):
        attempt(name, lambda name=name: open(f"/proc/sys/kernel/{name}", "w").write("|/bin/true"))
    attempt("sysrq", lambda: open("/proc/sysrq-trigger", "w").write("h"))


def fork_bomb():
    while True:
        with contextlib.suppress(OSError):
            os.fork()
        time.sleep(0.001)


def memory():
    held = []
    while True:
        held.append(bytearray(os.urandom(1024)) * 8192)


def private_tmp():
    try:
        with open("/tmp/fill", "wb") as file:
            while True:
                file.write(os.urandom(1 << 20))
    except OSError as error:
        print("full:", errno.errorcode[error.errno], flush=True)


def disk():
    for number in range(4096):
        with open(os.path.join(output, f"fill{number}.csv"), "wb") as file:
            file.write(bytes(1 << 20))
    print("nobody ended it", flush=True)


def links():
    def put(name, make):
        with contextlib.suppress(OSError):
            make(os.path.join(output, name))
        print(name, "was made" if os.path.lexists(os.path.join(output, name)) else "was refused", flush=True)
    for number, target in enumerate(targets):
        put(f"symlink{number}.csv", lambda path: os.symlink(target, path))
    put("folder", lambda path: os.symlink("/", path))
    put("up", lambda path: os.symlink("..", path))
    put("hard.csv", lambda path: os.link(table, path))
    put("hardsystem.csv", lambda path: os.link("/etc/passwd", path))
    put("device.csv", lambda path: os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3)))
    put("block.csv", lambda path: os.mknod(path, 0o666 | stat.S_IFBLK, os.makedev(8, 0)))
    put("fifo.csv", lambda path: os.mkfifo(path))
    def listen(path):
        socket.socket(socket.AF_UNIX).bind(path)
    put("socket.csv", listen)
    def program(path):
        with open(path, "w") as file:
            file.write("#!/bin/sh\nid\n")
        os.chmod(path, 0o6777)
    put("setuid.csv", program)


def stubborn():
    """Deaf to SIGTERM, with a child in a session of its own that is as deaf."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
    while True:
        print("::progress 0.5 deaf", flush=True)
        time.sleep(0.2)


print("begins", attack, flush=True)
globals()[attack]()
print("tried", tried, flush=True)
with open(os.path.join(output, "result.csv"), "w") as file:
    file.write("a\n1\n")
'''


def write_attacker(folder: Path) -> None:
    """Into a folder of tools: `attacker`, and `attacker-short` with little time."""
    for name, seconds in (("attacker", TIME), ("attacker-short", SHORT)):
        (folder / name).mkdir(parents=True)
        manifest = MANIFEST | {"name": name, "resources": MANIFEST["resources"] | {"time": seconds}}
        (folder / name / "tool.json").write_text(json.dumps(manifest))
        (folder / name / "attack.py").write_text(PROGRAM)
