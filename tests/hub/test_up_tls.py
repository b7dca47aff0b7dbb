"""An installation with a certificate: hub and Keycloak are both reached by TLS, and inside nothing changes."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
from support.certificates import certificate
from support.installation import Installation, browser, login, until, xsrf


@pytest.mark.timeout(600)
def test_people_sign_in_and_work_over_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(cert))
    environ = {"VOXELHUB_TLS_CERT": str(cert), "VOXELHUB_TLS_KEY": str(key)}
    with Installation(tmp_path / "state", environ) as installation, browser(trust) as client:
        url, settings = installation.url, installation.settings
        assert url.startswith("https://") and settings.issuer.startswith("https://")
        form = client.get(f"{url}/hub/oauth_login")
        assert str(form.url).startswith(settings.issuer)
        page = login(client, url, "ada", installation.users["ada"])
        assert page.status_code == 200 and str(page.url).startswith(f"{url}/hub/")
        assert page.headers["Strict-Transport-Security"]

        assert client.post(f"{url}/hub/api/users/ada/server", headers=xsrf(client), json={}).status_code in (201, 202)
        until(lambda: client.get(f"{url}/hub/api/users/ada", headers=xsrf(client)).json()["server"], 120, "the server")
        assert client.get(f"{url}/user/ada/lab").status_code == 200
        assert client.get(f"{url}/user/ada/api/status").status_code == 200

        answer = client.post(f"{url}/hub/api/users/ada/tokens", headers=xsrf(client),
                             json={"note": "test", "expires_in": 600, "scopes": ["access:services!service=voxelhub"]})
        with httpx.Client(verify=trust, trust_env=False, headers={"Authorization": f"Bearer {answer.json()['token']}"}) as script:
            assert script.get(f"{installation.api}/me").json()["name"] == "ada"

        ended = client.get(f"{url}/hub/logout")
        assert ended.status_code == 200
        assert "kc-form-login" in client.get(f"{url}/hub/oauth_login").text  # the session at Keycloak has ended too

        installation.restart("keycloak-tls")
        assert "kc-form-login" in client.get(f"{url}/hub/oauth_login").text
