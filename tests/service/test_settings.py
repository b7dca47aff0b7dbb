"""What stands in the environment becomes settings, or a sentence that says what would be right."""

from __future__ import annotations

import pytest
from voxelhub_service.settings import Settings, SettingsError, load_settings

CLUSTER = {
    "VOXELHUB_PLATFORM": "kubernetes", "VOXELHUB_LISTEN": "0.0.0.0", "VOXELHUB_STATE_DIR": "/srv/voxelhub",
    "VOXELHUB_PUBLIC_URL": "https://hub.example.org", "VOXELHUB_KEYCLOAK_PUBLIC_URL": "https://sso.example.org/",
    "VOXELHUB_HUB_INTERNAL_URL": "http://hub:8081", "VOXELHUB_SERVICE_INTERNAL_URL": "http://voxelhub-service:8002",
    "VOXELHUB_DATABASE_URL": "postgresql://voxelhub@postgresql:5432/voxelhub",
}


def test_a_laptop_keeps_to_loopback() -> None:
    settings = load_settings({})
    assert (settings.platform, settings.listen) == ("local", "127.0.0.1")
    assert settings.hub_api_url == "http://127.0.0.1:8081/hub/api"
    assert settings.service_url == "http://127.0.0.1:8002/services/voxelhub"
    assert settings.realm_url == settings.issuer == "http://127.0.0.1:8180/realms/voxelhub"
    assert settings.hub_database == f"sqlite:///{settings.state_dir}/hub/jupyterhub.sqlite"


def test_in_pods_everything_has_the_address_of_its_service() -> None:
    settings = load_settings({**CLUSTER, "VOXELHUB_KEYCLOAK_REALM": "clinic",
                              "VOXELHUB_HUB_DATABASE_URL": "postgresql://hub@postgresql/hub"})
    assert settings.hub_api_url == "http://hub:8081/hub/api"
    assert settings.service_url == "http://voxelhub-service:8002/services/voxelhub"
    assert settings.realm_url == settings.issuer == "https://sso.example.org/realms/clinic"
    assert settings.hub_database == "postgresql+psycopg://hub@postgresql/hub"
    assert settings.database == "postgresql+psycopg://voxelhub@postgresql:5432/voxelhub"


def test_the_bundled_keycloak_is_asked_inside_and_named_as_browsers_know_it() -> None:
    settings = load_settings({**CLUSTER, "VOXELHUB_KEYCLOAK_INTERNAL_URL": "http://keycloak:8080"})
    assert settings.realm_url == "http://keycloak:8080/realms/voxelhub"
    assert settings.issuer == "https://sso.example.org/realms/voxelhub"


def test_on_one_machine_the_public_address_of_keycloak_is_not_asked() -> None:
    assert load_settings({"VOXELHUB_KEYCLOAK_PUBLIC_URL": "https://sso.example.org"}).keycloak_url == "http://127.0.0.1:8180"


@pytest.mark.parametrize(("missing", "said"), [
    ("PUBLIC_URL", "its value publicUrl"), ("KEYCLOAK_PUBLIC_URL", "its value keycloak.url"),
    ("HUB_INTERNAL_URL", "sets it by itself"), ("SERVICE_INTERNAL_URL", "sets it by itself")])
def test_what_a_pod_lacks_is_said_with_the_charts_value(missing: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^VOXELHUB_{missing} is empty.*{said}"):
        load_settings({**CLUSTER, f"VOXELHUB_{missing}": ""})


@pytest.mark.parametrize(("changed", "said"), [
    ({"VOXELHUB_PLATFORM": "k8s"}, "write local or kubernetes"),
    ({"VOXELHUB_PLATFORM": "local"}, "VOXELHUB_LISTEN is 0.0.0.0, but .* Keep 127.0.0.1"),
    ({"VOXELHUB_KEYCLOAK_REALM": "a/b"}, "no name of a realm"),
    ({"VOXELHUB_HUB_INTERNAL_URL": "hub:8081"}, "HUB_INTERNAL_URL is 'hub:8081'. Write http:// or https://"),
    ({"VOXELHUB_PROXY_API_URL": "http://user@proxy-api:8001"}, "PROXY_API_URL is"),
    ({"VOXELHUB_HUB_DATABASE_URL": "postgresql://hub:secret@postgresql/hub"}, "secrets/hub-database-password"),
    ({"VOXELHUB_DATABASE_URL": "postgresql://hub:secret@postgresql/hub"}, "secrets/database-password"),
    ({"VOXELHUB_HUB_DATABASE_URL": "mysql://hub@db/hub"}, "HUB_DATABASE_URL is no address of a PostgreSQL database"),
    ({"VOXELHUB_SERVICE_SERVICE_HOST": "10.96.0.7"}, "enableServiceLinks: false"),
])
def test_an_unsafe_or_wrong_setting_is_refused(changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings({**CLUSTER, **changed})


def test_a_typing_error_says_nothing_of_services() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"VOXELHUB_PROT": "8000"})
    assert "enableServiceLinks" not in str(refused.value) and "VOXELHUB_PROT" in str(refused.value)


def test_the_defaults_are_those_of_a_laptop() -> None:
    """A setting of pods that is not empty by itself would change what runs on one machine."""
    made = Settings()
    for name in ("hub_internal_url", "service_internal_url", "proxy_api_url", "proxy_internal_url", "keycloak_internal_url",
                 "hub_database_url", "chart_file"):
        assert getattr(made, name) == "", name
