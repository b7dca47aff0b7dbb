"""Wrong values stop the install with a sentence that names the value and says what would be right."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.helm import EVALUATION, LEAST, environ, pods, refusal, render

DATABASE = "postgresql://voxelhub@db.example.org/voxelhub"
SMALL = {"name": "small", "cpu": 1, "memory": "2 GiB"}
# A change of the least values (dotted names; None takes one away), and the words of the refusal.
WRONG: list[tuple[dict[str, Any], str]] = [
    # What is missing
    ({"keycloak.url": None}, "keycloak.url is missing: write the address of your Keycloak, such as https://login.example.org, or "
     "set keycloak.bundled.enabled"),
    ({"publicUrl": None}, "publicUrl is missing: write the address that people will type, such as https://vre.example.org, or "
     "set ingress.hosts."),
    ({"proxy.https.type": "secret"}, "proxy.https.secret.name is missing: name a Secret of the type kubernetes.io/tls."),
    ({"ingress.enabled": True}, "ingress.enabled is set, and ingress.hosts is empty: name the host that people type."),
    ({"httpRoute.enabled": True}, "httpRoute.gateway.name is missing: name the Gateway."),
    ({"database.url": None}, "database.url is missing: write the address of your PostgreSQL, such as postgresql://voxelhub@db."),
    ({"database.existingSecret": None},
     "database.url is set, and nothing says its password: name a Secret in database.existingSecret."),
    ({"hub.db.url": DATABASE}, "hub.db.url is set, and nothing says its password: name a Secret in hub.db.existingSecret."),
    # What cannot be
    ({"publicUrl": "http://vre.example.org"},
     'publicUrl is "http://vre.example.org": write https://, a host, and nothing behind it.'),
    ({"publicUrl": "https://vre.example.org/hub"}, 'publicUrl is "https://vre.example.org/hub": write https://, a host'),
    ({"publicUrl": "vre.example.org"}, 'publicUrl is "vre.example.org": write https://'),
    ({"keycloak.url": "http://login.example.org"},
     'keycloak.url is "http://login.example.org": browsers must reach Keycloak by https://.'),
    ({"keycloak.url": "https://login.example.org/realms/hospital"}, "end before /realms/: the realm's name is keycloak.realm."),
    ({"keycloak.internalUrl": "keycloak:8080"}, 'keycloak.internalUrl is "keycloak:8080": write http:// or https://'),
    ({"keycloak.internalUrl": "http://keycloak:8080/auth"}, "the host and its port, no more, or leave it empty."),
    ({"keycloak.bundled.enabled": True},
     "keycloak.url and keycloak.bundled.enabled are both set: name your Keycloak, or let the chart run one, not both."),
    ({"keycloak.url": None, "keycloak.bundled.enabled": True}, "set proxy.https.type to secret and proxy.https.secret.name."),
    ({"proxy.https": {"type": "secret", "secret": {"name": "tls"}}, "ingress": {"enabled": True, "hosts": ["vre.example.org"]}},
     "set proxy.https.type to offload with them."),
    ({"database.url": "mysql://a@b/c"},
     "database.url is no address of a PostgreSQL database: write postgresql://user@host:port/name."),
    ({"hub.db.url": "postgresql://hub@db.example.org"}, "hub.db.url is no address of a PostgreSQL database"),
    ({"database.url": "postgresql://voxelhub:secret@db/voxelhub"},
     "database.url holds a password, which everyone who may read the release would see: take it out"),
    ({"database.url": f"{DATABASE}?password=secret"}, "database.url holds a password"),
    ({"postgresql.bundled.enabled": True},
     "database.url and postgresql.bundled.enabled are both set"),
    ({"hub.subdomainHost": "users.example.org"},
     "hub.subdomainHost is users.example.org, and the host of publicUrl is vre.example.org: they must be the same"),
    ({"publicUrl": "https://192.0.2.7", "hub.subdomainHost": "192.0.2.7"},
     "an address of numbers, below which there are no names"),
    ({"hub.config": {"concurrentSpawnLimit": {"a": 1}}},
     "hub.config.concurrentSpawnLimit is no class, since it begins with a small"),
    ({"profiles.profiles": [SMALL, SMALL]}, "profiles: the profile small is there twice; names are unique."),
    ({"profiles.profiles": [{**SMALL, "default": True}, {**SMALL, "name": "b", "default": True}]},
     "profiles: more than one profile is the default; mark one."),
    ({"singleuser.extraEnv": {"VOXELHUB_TOKEN": "x"}}, "singleuser.extraEnv names VOXELHUB_TOKEN, which VoxelHub sets itself"),
    ({"singleuser.extraEnv": {"JUPYTERHUB_USER": "x"}}, "singleuser.extraEnv names JUPYTERHUB_USER, which VoxelHub sets itself"),
    ({"hub.extraEnv": {"VOXELHUB_HOST": "x"}}, "hub.extraEnv names VOXELHUB_HOST: settings are in `settings`"),
    ({"service.extraEnv": {"VOXELHUB_CLAMD": "x"}}, "service.extraEnv names VOXELHUB_CLAMD: settings are in `settings`"),
    # What the schema refuses
    ({"hubb": {}}, "additional properties 'hubb' not allowed"),
    ({"hub.extraenv": {}}, "at '/hub': additional properties 'extraenv' not allowed"),
    ({"singleuser.profileList": []}, "at '/singleuser': additional properties 'profileList' not allowed"),
    ({"settings.trash_dayz": 3}, "at '/settings': additional properties 'trash_dayz' not allowed"),
    ({"settings.host": "0.0.0.0"}, "at '/settings': additional properties 'host' not allowed"),
    ({"settings.trash_days": "many"}, "at '/settings/trash_days': got string, want integer"),
    ({"projects": {"lung": {"network": "open"}}},
     "at '/projects/lung/network': value must be one of 'isolated', 'project', 'internet'"),
    ({"projects": {"Lung!": {"network": "project"}}}, "at '/projects': additional properties 'Lung!' not allowed"),
    ({"projects": {"lung": {}}}, "at '/projects/lung': missing property 'network'"),
    ({"cull.timeout": "1h"}, "at '/cull/timeout': got string, want integer"),
    ({"cull.timeout": 5}, "at '/cull/timeout': minimum: got 5, want 60"),
    ({"hub.concurrentSpawnLimit": 0}, "at '/hub/concurrentSpawnLimit': minimum: got 0, want 1"),
    ({"imagePullPolicy": "Sometimes"}, "at '/imagePullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'"),
    ({"imagePullSecrets": [{"name": "registry"}]}, "at '/imagePullSecrets/0': got object, want string"),
    ({"storage.state.accessModes": ["ReadWriteOncePod"]}, "value must be one of 'ReadWriteOnce', 'ReadWriteMany'"),
    ({"storage.state.size": "big"}, "at '/storage/state/size': 'big' does not match pattern"),
    ({"proxy.https.type": "letsencrypt"}, "at '/proxy/https/type': value must be one of 'offload', 'secret'"),
    ({"proxy.service.nodePorts.https": 70000}, "maximum: got 70,000, want 65,535"),
    ({"networkPolicy.apiServer.cidrs": ["10.0.0.1"]}, "at '/networkPolicy/apiServer/cidrs/0': '10.0.0.1' does not match pattern"),
    ({"profiles.profiles": []}, "at '/profiles/profiles': minItems: got 0, want 1"),
    ({"profiles.profiles": [{"name": "small", "cpu": 1}]}, "at '/profiles/profiles/0': missing property 'memory'"),
    ({"profiles.profiles": [{**SMALL, "gpu": {"count": 0}}]}, "at '/profiles/profiles/0/gpu/count': minimum: got 0, want 1"),
    ({"profiles.profiles": [{**SMALL, "kubespawner_override": {}}]}, "additional properties 'kubespawner_override' not allowed"),
    ({"singleuser.guarantee.memory": 2}, "at '/singleuser/guarantee/memory': maximum: got 2, want 1"),
    ({"keycloak.realm": "the hospital"}, "at '/keycloak/realm': 'the hospital' does not match pattern"),
]


def changed(change: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = copy.deepcopy(LEAST)
    for name, value in change.items():
        *above, key = name.split(".")
        place = values
        for part in above:
            place = place.setdefault(part, {})
        if value is None:
            del place[key]
        else:
            place[key] = value
    return values


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[" ".join(map(str, change)) for change, _ in WRONG])
def test_a_wrong_value_stops_the_install_with_its_sentence(change: dict[str, Any], words: str) -> None:
    assert words in refusal(changed(change))


def test_a_node_port_that_nobody_knows_is_no_address_of_keycloak() -> None:
    values = {"publicUrl": LEAST["publicUrl"], "keycloak": {"bundled": {"service": {"nodePort": 0}}}}
    assert "whose port nobody knows yet: set keycloak.bundled.service.nodePort" in refusal(values, [EVALUATION])


def test_the_address_of_the_bundled_keycloak_is_one() -> None:
    values = {"publicUrl": LEAST["publicUrl"], "keycloak": {"bundled": {"publicUrl": "login.example.org"}}}
    assert 'keycloak.bundled.publicUrl is "login.example.org": write https://' in refusal(values, [EVALUATION])


def test_how_the_database_is_reached_may_stand_in_its_address() -> None:
    values = changed({"database.url": f"{DATABASE}?sslmode=verify-full"})
    service = pods(render(values))["voxelhub-service"]["spec"]["containers"][0]
    assert environ(service)["VOXELHUB_DATABASE_URL"] == f"{DATABASE}?sslmode=verify-full"
