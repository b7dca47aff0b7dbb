"""The chart as Helm makes objects of it: everything on and everything off, for each release of Kubernetes that it names."""

from __future__ import annotations

import base64
import functools
import re
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import kubernetes_validate.utils
import pytest
import yaml
from support.helm import CHART, EVALUATION, LEAST, PILOT, Manifest, containers, environ, helm, of_kind, pods, render
from support.installation import ROOT
from voxelhub_hub import chart as hub_chart
from voxelhub_service.secrets import NAMES, OF_HUB, OF_REALM, OF_SERVICE
from voxelhub_service.settings import NOT_SETTINGS, Settings, load_settings
from voxelhub_spawner.kube_chart import read_chart

HERE = Path(__file__).parent
EVERYTHING, NOTHING = HERE / "everything.yaml", HERE / "nothing.yaml"
PUBLIC = {"publicUrl": "https://vre.example.org:30443"}
SHAPES = {"everything": (None, [EVERYTHING]), "nothing": (None, [NOTHING]), "least": (LEAST, []),
          "evaluation": (PUBLIC, [EVALUATION]), "pilot": (PUBLIC, [EVALUATION, PILOT])}
RELEASES = ("1.32", "1.35", "1.37")


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> list[Manifest]:
    values, files = SHAPES[request.param]
    return render(values, files=files)


def chart_file(manifests: list[Manifest]) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(of_kind(manifests, "ConfigMap")["hub"]["data"]["chart.yaml"])
    return document


def test_the_chart_has_the_version_of_the_product() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert chart["version"] == chart["appVersion"] == version


@pytest.mark.parametrize("name", SHAPES)
def test_helm_finds_nothing_to_mend(name: str) -> None:
    values, files = SHAPES[name]
    done = helm("lint", "--strict", str(CHART), values=values, files=files)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once() -> Iterator[None]:
    """The package reads a release's definitions again for every object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubernetes_validate.utils, "schema_contents", functools.cache(kubernetes_validate.utils.schema_contents))
        yield


@pytest.mark.parametrize("release", RELEASES)
def test_every_object_is_one_of_this_release_of_kubernetes(shape: list[Manifest], release: str) -> None:
    for manifest in shape:
        if manifest["kind"] != "HTTPRoute":  # no part of Kubernetes itself
            kubernetes_validate.validate(manifest, release, strict=True)


def test_an_older_kubernetes_is_refused() -> None:
    done = helm("template", "voxelhub", str(CHART), "--kube-version", "1.31.0", values=LEAST)
    assert "requires kubeVersion: >=1.32.0-0 which is incompatible with Kubernetes v1.31.0" in done.stderr


def test_every_object_carries_the_labels(shape: list[Manifest]) -> None:
    for manifest in shape:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/part-of"] == "voxelhub"
        assert {"instance", "component", "managed-by", "version"} <= {name.removeprefix("app.kubernetes.io/") for name in labels}
        assert labels["helm.sh/chart"] == "voxelhub-0.1.0"


def test_all_that_can_be_named_once_is_named_once(shape: list[Manifest]) -> None:
    names = [(m["kind"], m["metadata"]["name"]) for m in shape]
    assert len(names) == len(set(names))


def test_services_find_their_pods_at_ports_that_they_open(shape: list[Manifest]) -> None:
    for name, service in of_kind(shape, "Service").items():
        found = [pod for pod in pods(shape).values() if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
        assert len(found) == 1, name
        open_ports = {port["name"] for container in containers(found[0]) for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= open_ports


def test_what_a_pod_mounts_is_made_or_named_in_the_values(shape: list[Manifest]) -> None:
    made = {(m["kind"], m["metadata"]["name"]) for m in shape}
    yours = {("Secret", name) for name in ("database", "realm", "ours", "voxelhub-tls")} | {
        ("ConfigMap", "authorities"), ("ConfigMap", "kube-root-ca.crt"), ("PersistentVolumeClaim", "ours")}
    for pod in pods(shape).values():
        for volume in pod["spec"].get("volumes", []):
            for source in volume.get("projected", {}).get("sources", [volume]):
                for kind, key, name in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name"),
                                        ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName")):
                    if key in source:
                        assert (kind, source[key].get(name) or source[key]["name"]) in made | yours
        for container in containers(pod):
            assert {m["name"] for m in container["volumeMounts"]} <= {v["name"] for v in pod["spec"]["volumes"]}


def test_every_variable_of_ours_is_a_setting_that_the_pod_accepts(shape: list[Manifest]) -> None:
    known = {f"VOXELHUB_{f.name.upper()}" for f in fields(Settings)} | NOT_SETTINGS
    for name, pod in pods(shape).items():
        for container in containers(pod):
            ours = {k: v for k, v in environ(container).items() if k.startswith("VOXELHUB_")}
            assert set(ours) <= known
            if name in ("hub", "voxelhub-service"):
                settings = load_settings(ours)
                assert settings.on_kubernetes and settings.base_url.startswith("https://vre.example.org")


def test_no_template_names_a_variable_that_is_no_setting() -> None:
    known = {f"VOXELHUB_{f.name.upper()}" for f in fields(Settings)} | NOT_SETTINGS
    named = {name for path in (CHART / "templates").rglob("*") if path.is_file()
             for name in re.findall(r"name: (VOXELHUB_[A-Z_]+[A-Z])\b", path.read_text())}
    assert named and named <= known


def test_hub_and_spawner_understand_what_the_chart_hands_them(shape: list[Manifest]) -> None:
    document = chart_file(shape)
    read = read_chart(document)
    assert (read.release, read.namespace, read.version, read.chart) == ("voxelhub", "vre", "0.1.0", "voxelhub-0.1.0")
    hub_chart.pass_through(_Config(), document)
    assert hub_chart.number(document, "cull", "timeout", 0) == 3600


class _Config(dict[str, dict[str, Any]]):
    """As traitlets' configuration: a section is there when it is asked for."""

    def __missing__(self, name: str) -> dict[str, Any]:
        return self.setdefault(name, {})


def test_what_the_values_say_reaches_the_spawner() -> None:
    read = read_chart(chart_file(render(None, files=[EVERYTHING])))
    assert read.image == "other.example.org/lab:1@sha256:0123"
    assert (read.pull_policy, read.pull_secrets) == ("Always", ("registry",))
    assert read.node_selector == {"pool": "users", "hub.jupyter.org/node-purpose": "user"}
    assert [p.name for p in read.profiles] == ["small", "gpu"]
    assert read.networks == {"lung": "project", "2024": "project", "atlas": "internet", "brain": "isolated"}
    assert (read.storage.same_node, read.storage.capacity, read.storage.storage_class) == (False, "20Gi", "fast")
    assert (read.limits.servers_per_user, read.limits.gpus_per_user, read.limits.gpus_per_project) == (2, 1, 4)
    assert read_chart(chart_file(render(LEAST))).storage.same_node, "a state volume of one node takes servers there"


def test_large_numbers_of_settings_stay_numbers() -> None:
    hub = pods(render(None, files=[EVERYTHING]))["hub"]["spec"]["containers"][0]
    variables = environ(hub)
    assert variables["VOXELHUB_PROJECT_QUOTA"] == "500000000000"
    assert (variables["VOXELHUB_CLAMD"], variables["VOXELHUB_CLAMD_REQUIRED"]) == ("clamd.scanner.svc:3310", "false")
    assert variables["NODE"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert variables["SSL_CERT_FILE"] == "/etc/voxelhub-trusted/bundle.crt"


# Secrets


def secrets_of(manifests: list[Manifest], pod: str) -> dict[str, set[str]]:
    """Keys that a pod gets, by the Secret that they come from."""
    found: dict[str, set[str]] = {}
    for volume in pods(manifests)[pod]["spec"]["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            if "secret" in source:
                found.setdefault(source["secret"]["name"], set()).update(item["key"] for item in source["secret"]["items"])
    return found


REALM = {"oidc-client-secret", "directory-client-secret"}
HUB = set(OF_HUB) - REALM
SERVICE = set(OF_SERVICE) - {"api-client-secret"} | {"audit-signing-key.next"}  # the last one is optional


def test_a_pod_gets_its_own_secrets_and_no_others() -> None:
    main, evaluation = "voxelhub-secrets", render(PUBLIC, files=[EVALUATION])
    assert {pod: secrets_of(evaluation, pod).get(main) for pod in pods(evaluation)} == {
        "hub": HUB | set(OF_REALM) | {"hub-database-password"},
        "voxelhub-service": SERVICE | {"api-client-secret", "database-password"},
        "proxy": {"proxy-token"}, "keycloak": {"keycloak-admin-password", "keycloak-db-password"},
        "postgresql": {"database-password", "hub-database-password", "postgres-password"},
    }
    least = render(LEAST)
    assert secrets_of(least, "hub") == {main: HUB | REALM}
    assert secrets_of(least, "voxelhub-service") == {main: SERVICE | {"api-client-secret"}, "database": {"database-password"}}


def test_the_first_install_makes_every_secret_anew() -> None:
    first, second = (of_kind(render({**LEAST, "global": {"time": n}}), "Secret")["voxelhub-secrets"] for n in (1, 2))
    values = {name: base64.b64decode(value).decode() for name, value in first["data"].items()}
    assert set(values) == {*NAMES, "database-password", "hub-database-password", "postgres-password"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values.values())
    assert len(set(values.values())) == len(values)
    assert not set(first["data"].values()) & set(second["data"].values())
    assert first["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_your_secret_is_used_and_none_is_made() -> None:
    manifests = render(None, files=[NOTHING])
    assert not of_kind(manifests, "Secret")
    assert {name for pod in pods(manifests) for name in secrets_of(manifests, pod)} == {"ours"}


def test_passwords_of_databases_and_the_realm_come_from_their_own_secrets() -> None:
    manifests = render(None, files=[EVERYTHING])
    assert secrets_of(manifests, "hub") == {"voxelhub-secrets": HUB, "realm": REALM, "database": {"hub-database-password"}}
    assert secrets_of(manifests, "voxelhub-service") == {
        "voxelhub-secrets": SERVICE, "realm": {"api-client-secret"}, "database": {"database-password"}}


def test_secrets_are_in_no_variable_argument_or_config_map(shape: list[Manifest]) -> None:
    data = [value for secret in of_kind(shape, "Secret").values() for value in secret["data"].values()]
    rest = yaml.safe_dump([m for m in shape if m["kind"] != "Secret"])
    assert not [value for value in data if value in rest or base64.b64decode(value).decode() in rest]
    for pod in pods(shape).values():
        for container in containers(pod):
            assert not [v for v in environ(container).values() if isinstance(v, dict) and "secretKeyRef" in v]


# Rights


def test_the_hub_alone_has_an_account_and_its_rights_are_few() -> None:
    manifests = render(LEAST)
    accounts = {name: pod["spec"].get("serviceAccountName") for name, pod in pods(manifests).items()}
    assert accounts == {"hub": "hub", "proxy": None, "voxelhub-service": None}
    assert [(r["resources"], r["verbs"]) for r in of_kind(manifests, "Role")["hub"]["rules"]] == [
        (["pods", "persistentvolumeclaims"], ["get", "list", "watch", "create", "delete"]),
        (["events"], ["get", "list", "watch"])]
    (cluster,) = of_kind(manifests, "ClusterRole").values()
    assert [(r["resources"], r["verbs"]) for r in cluster["rules"]] == [(["nodes"], ["get", "list", "watch"])]
    off = render({**LEAST, "gpus": {"show": False}})
    assert not of_kind(off, "ClusterRole") and of_kind(off, "Role")


def test_no_pod_gets_the_token_of_its_account_by_itself(shape: list[Manifest]) -> None:
    assert all(pod["spec"]["automountServiceAccountToken"] is False for pod in pods(shape).values())
    assert all(account["automountServiceAccountToken"] is False for account in of_kind(shape, "ServiceAccount").values())


# Edge


def test_the_public_address_follows_the_ingress() -> None:
    values = {**LEAST, "publicUrl": "", "ingress": {"enabled": True, "hosts": ["vre.example.org", "old.example.org"]}}
    manifests = render(values)
    assert environ(pods(manifests)["hub"]["spec"]["containers"][0])["VOXELHUB_PUBLIC_URL"] == "https://vre.example.org"
    assert [rule["host"] for rule in of_kind(manifests, "Ingress")["voxelhub"]["spec"]["rules"]] == values["ingress"]["hosts"]


def test_one_value_gives_every_user_a_host() -> None:
    manifests = render(None, files=[EVERYTHING])
    assert chart_file(manifests)["hub"]["config"]["JupyterHub"] == {
        "concurrent_spawn_limit": 20, "subdomain_host": "https://vre.example.org", "cookie_host_prefix_enabled": True}
    assert "--host-routing" in pods(manifests)["proxy"]["spec"]["containers"][0]["args"]
    hosts = ["vre.example.org", "*.vre.example.org"]
    assert [rule["host"] for rule in of_kind(manifests, "Ingress")["voxelhub"]["spec"]["rules"]] == hosts
    assert of_kind(manifests, "HTTPRoute")["voxelhub"]["spec"]["hostnames"] == hosts
    assert "--host-routing" not in pods(render(LEAST))["proxy"]["spec"]["containers"][0]["args"]


def test_no_address_outside_is_written_into_the_chart() -> None:
    """With only values of its own, the chart names hosts of the cluster alone; images come from the registry of the values."""
    text = yaml.safe_dump(render({"publicUrl": "https://p.invalid", "keycloak": {"url": "https://k.invalid"},
                                  "postgresql": {"bundled": {"enabled": True}}, "image": {"registry": "r.invalid"}}))
    hosts = {re.sub(r":\d+$", "", host) for host in re.findall(r"\w+://([^/\s'\"]+)", text)}
    assert hosts == {"hub", "voxelhub-service", "proxy-api", "proxy-http", "voxelhub@postgresql", "hub@postgresql", "p.invalid",
                     "k.invalid"}
    images = {c["image"] for m in render({**LEAST, "image": {"registry": "r.invalid"}}) if m["kind"] == "Deployment"
              for c in containers(m["spec"]["template"])}
    assert images and all(image.startswith("r.invalid/voxelhub-") for image in images)


def test_volumes_secrets_and_the_closed_door_stay_when_the_release_goes() -> None:
    manifests = render(PUBLIC, files=[EVALUATION])
    kept = {(m["kind"], m["metadata"]["name"]) for m in manifests
            if m["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"}
    volumes = ("hub-state", "voxelhub-state", "keycloak-data", "postgresql-data")
    assert kept == {("Secret", "voxelhub-secrets"), ("NetworkPolicy", "default-deny"),
                    *(("PersistentVolumeClaim", name) for name in volumes)}


def test_in_maintenance_only_the_edge_and_the_database_run() -> None:
    manifests = render({**PUBLIC, "maintenance": True}, files=[EVALUATION])
    replicas = {m["metadata"]["name"]: m["spec"]["replicas"] for m in manifests if m["kind"] in {"Deployment", "StatefulSet"}}
    assert replicas == {"hub": 0, "voxelhub-service": 0, "keycloak": 0, "proxy": 1, "postgresql": 1}


def test_each_part_may_be_moved_to_another_node() -> None:
    manifests = render(PUBLIC, files=[EVALUATION])
    budgets = of_kind(manifests, "PodDisruptionBudget").values()
    for pod in pods(manifests).values():
        (mine,) = [b for b in budgets if b["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()]
        assert mine["spec"]["maxUnavailable"] == 1


def test_a_changed_profile_starts_the_hub_again_and_only_the_hub() -> None:
    def templates(price: float) -> dict[str, Manifest]:
        profile = {"name": "small", "cpu": 1, "memory": "2 GiB", "price_per_hour": price}
        return pods(render({**LEAST, "profiles": {"profiles": [profile]}}))

    before, after = templates(1), templates(2)
    assert [name for name in before if before[name] != after[name]] == ["hub"]


def test_one_archive_is_the_whole_chart(tmp_path: Path) -> None:
    """No chart of somebody else is fetched, and an administrator finds the values files in it."""
    assert helm("package", str(CHART), "--destination", str(tmp_path)).returncode == 0
    (archive,) = tmp_path.iterdir()
    with tarfile.open(archive) as tar:
        names = {name.removeprefix("voxelhub/") for name in tar.getnames()}
    assert {"values.yaml", "values.schema.json", "values-pilot.yaml", "values-evaluation.yaml"} <= names
    assert not [name for name in names if name.startswith("charts/") or name == "Chart.lock"]
    done = helm("template", "voxelhub", str(archive), "--namespace", "vre", files=[EVERYTHING])
    packed = [document for document in yaml.safe_load_all(done.stdout) if document]

    def plain(manifests: list[Manifest]) -> list[Manifest]:
        return [m for m in manifests if m["kind"] != "Secret"]

    assert plain(packed) == plain(render(None, files=[EVERYTHING]))
