"""A second release as a hospital has it: Keycloak, PostgreSQL and what ends TLS are not the release's own.

They are those of the first release, in its namespace, and a reverse proxy in a third one, which does what an ingress
controller does. Every user has a host below ZONE, and the state volume may be mounted anywhere.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import yaml
from cluster.space import RESTRICTED, Space, pod, policy
from release import GPU, LITTLE, VALUES, Release
from support.certificates import certificate
from support.helm import CHART

ZONE, REALM = "vre.test", "hospital"
PEOPLE = {"ada": ["voxelhub-users", "projects/lung"], "ben": ["voxelhub-users"]}
SLICE = {"name": "slice", "title": "A slice of a GPU", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.2,
         "gpu": {"kind": GPU, "count": 1, "resource": "nvidia.com/mig-1g.5gb"}, "allowed_groups": ["/projects/lung"]}
LABELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
SMALL = VALUES["profiles"]["profiles"][0]
DATABASES = {"service": "database-password", "hub": "hub-database-password"}


class Hospital(Release):
    """`with Hospital(first) as it:`; its people are those of PEOPLE, their passwords `secret(name)`."""

    def __init__(self, first: Release) -> None:
        super().__init__(first.node, first.folder / "hospital", f"{first.namespace}-hospital", 0, first.keep)
        self.first, self.edge = first, Space(first.node, f"{first.namespace}-edge")
        self.known: dict[str, str] = {}

    def __enter__(self) -> Hospital:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.known = json.loads(self._file.read_text()) if self._file.exists() else {}
        for namespace in (self.namespace, self.edge.name):
            self.node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": LABELS}})
        self._end_tls()
        self._make_databases()
        self._write_what_the_chart_names()
        self.helm("upgrade", "--install")
        self._fill_the_directory()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if not self.keep:
            self.node.kubectl("delete", "namespace", self.edge.name, "--wait=false", check=False)

    @property
    def _file(self) -> Path:
        return self.folder / "known.json"

    def secret(self, name: str) -> str:
        """The same in the next run, where the release is kept."""
        if name not in self.known:
            self.known[name] = secrets.token_hex()
            self._file.write_text(json.dumps(self.known))
        return self.known[name]

    def helm(self, *verb: str, **_: Any) -> str:
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(self.wanted()))
        return self.node.helm(*verb, "voxelhub", str(CHART), "--namespace", self.namespace, "--values", str(file),
                              "--wait", "--timeout", "10m", timeout=700)

    def wanted(self) -> dict[str, Any]:
        """As docs/kubernetes.md has them under "For work", with what makes the tests' release small."""
        database = f"@postgresql.{self.first.namespace}:5432/hospital_"
        edge, first = _of(self.edge.name), _of(self.first.namespace)
        figures = {"networkPolicy": {"ingress": [{"from": [edge]}]}}  # whoever scrapes
        return {
            "publicUrl": self.url,
            "keycloak": {"url": f"https://{self.node.node_ip}:{self.first.port + 1}", "realm": REALM,
                         "internalUrl": f"https://keycloak-public.{self.first.namespace}:8443", "existingSecret": "vre-keycloak"},
            "trustedCertificates": {"configMap": "vre-authorities"},
            "database": {"url": f"postgresql://hospital_service{database}service", "existingSecret": "vre-databases"},
            "hub": {"subdomainHost": ZONE, **LITTLE, **figures,
                    "db": {"url": f"postgresql://hospital_hub{database}hub", "existingSecret": "vre-databases"}},
            "storage": {"state": {"accessModes": ["ReadWriteMany"], "size": "2Gi"}},
            "networkPolicy": {"ingress": {"from": [edge]}, "keycloak": {"to": [first]}, "database": {"to": [first]}},
            "profiles": {"currency": "EUR", "profiles": [SMALL, SLICE]}, "singleuser": VALUES["singleuser"],
            "proxy": LITTLE, "service": {**VALUES["service"], **figures}, "cull": {"every": 10},
        }

    # -- what is the hospital's own ---------------------------------------------------------------------------------

    def _end_tls(self) -> None:
        """For ZONE and the hosts below it, at a port of the node; hands on with X-Forwarded-… headers."""
        cert, key = certificate(self.folder, self.node.node_ip, ZONE, f"*.{ZONE}")
        proxy = self.first.kubectl("get", "deployment/proxy", "--output", "jsonpath={.spec.template.spec.containers[0].image}")
        made = pod("edge", "configurable-http-proxy", "--ip=0.0.0.0", "--port=8443", "--ssl-cert=/tls/tls.crt",
                   "--ssl-key=/tls/tls.key", f"--default-target=http://proxy-public.{self.namespace}", labels={"app": "edge"},
                   image=proxy, env=[{"name": "CONFIGPROXY_AUTH_TOKEN", "value": self.secret("edge")}],
                   readinessProbe={"tcpSocket": {"port": 8443}, "periodSeconds": 1},
                   resources={"requests": {"cpu": "40m", "memory": "64Mi"}},
                   volumeMounts=[{"name": "tls", "mountPath": "/tls"}], securityContext=RESTRICTED)
        made["spec"]["volumes"] = [{"name": "tls", "secret": {"secretName": "tls", "defaultMode": 0o440}}]
        self.edge.apply(
            _secret("tls", {"tls.crt": cert.read_text(), "tls.key": key.read_text()}), made, pod("beside", "pause"),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "edge"},
             "spec": {"type": "NodePort", "selector": {"app": "edge"}, "ports": [{"port": 443, "targetPort": 8443}]}})
        for each in ("pod/edge", "pod/beside"):
            self.node.wait(each, "--namespace", self.edge.name, seconds=300)
        self.port = int(self.edge.get("service/edge")["spec"]["ports"][0]["nodePort"])
        self.url = f"https://{ZONE}:{self.port}"

    def _make_databases(self) -> None:
        for name, key in DATABASES.items():
            self._sql(f"CREATE ROLE hospital_{name} LOGIN PASSWORD '{self.secret(key)}'")
            self._sql(f"CREATE DATABASE hospital_{name} OWNER hospital_{name} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
        self._apply(_secret("vre-databases", {key: self.secret(key) for key in DATABASES.values()}))
        self.node.apply(policy("hospital-to-database", {"app.kubernetes.io/component": "postgresql"}, ingress=[
            {"from": [_of(self.namespace)], "ports": [{"port": 5432}]}]), "--namespace", self.first.namespace)

    def _sql(self, statement: str) -> None:
        """Refused where it is done already, in a release that was kept."""
        command = 'PGPASSWORD=$(cat /srv/voxelhub/secrets/postgres-password) exec psql -h /tmp -U postgres -c "$0"'
        self.first.kubectl("exec", "postgresql-0", "--", "sh", "-c", command, statement, check=not self.first.keep)

    def _write_what_the_chart_names(self) -> None:
        """Client secrets that the hospital made, and the authority of its Keycloak's certificate."""
        names = ("oidc-client-secret", "directory-client-secret", "api-client-secret")
        self._apply(_secret("vre-keycloak", {name: self.secret(name) for name in names}))
        self._apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vre-authorities"},
                     "data": {"ca-certificates.crt": (self.first.folder / "cert.pem").read_text()}})

    def _apply(self, each: dict[str, Any]) -> None:
        self.node.apply(each, "--namespace", self.namespace)

    def _fill_the_directory(self) -> None:
        """A realm that the hospital has takes in what the hub's pod prints; then it has people."""
        with Administrator(self.first) as keycloak:
            if any(each["realm"] == REALM for each in keycloak.call("GET", "")):
                return
            keycloak.call("POST", "", {"realm": REALM, "enabled": True})
            printed = json.loads(self.voxelhub("hub", "realm"))
            keycloak.call("POST", f"/{REALM}/partialImport", {**printed, "ifResourceExists": "FAIL"})
            projects = keycloak.call("GET", f"/{REALM}/group-by-path/projects")
            keycloak.call("POST", f"/{REALM}/groups/{projects['id']}/children", {"name": "lung"})
            for name, groups in PEOPLE.items():
                keycloak.call("POST", f"/{REALM}/users", {
                    "username": name, "firstName": name, "lastName": "Example", "email": f"{name}@example.org", "enabled": True,
                    "groups": groups, "credentials": [{"type": "password", "value": self.secret(name)}]})
        self.voxelhub("voxelhub-service", "project", "add", "lung", "--open")


class Administrator:
    """Of the first release's Keycloak, by REST, from outside."""

    def __init__(self, first: Release) -> None:
        self.http = httpx.Client(verify=first.trust, trust_env=False, timeout=300,
                                 base_url=f"https://{first.node.node_ip}:{first.port + 1}")
        held = first.node.get("secret/voxelhub-secrets", "--namespace", first.namespace)["data"]["keycloak-admin-password"]
        self.password, self.until = base64.b64decode(held).decode(), 0.0

    def __enter__(self) -> Administrator:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if time.monotonic() > self.until:
            self._sign_in()
        answer = self.http.request(method, f"/admin/realms{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _sign_in(self) -> None:
        answer = self.http.post("/realms/master/protocol/openid-connect/token", data={
            "grant_type": "password", "client_id": "admin-cli", "username": "voxelhub-bootstrap", "password": self.password})
        self.http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        self.until = time.monotonic() + 20  # of its 60 s


def _of(namespace: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


def _secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
