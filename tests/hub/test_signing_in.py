"""Who gets in, how they get out, and what an outage of Keycloak means."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
from support.installation import Installation, browser, until
from support.person import STARTED, NewPerson, Person, processes
from voxelhub_hub.logout import unverified


def test_nobody_is_allowed_unless_a_group_says_so(installation: Installation, new_person: NewPerson) -> None:
    person = new_person(projects=("demo",))
    with installation.admin() as admin:
        admin.remove_from_group(person.name, "/voxelhub-users")
    page = person.sign_in()
    assert page.status_code == 403
    assert "voxelhub-users" in page.text and "Traceback" not in page.text
    assert person.page("/hub/home").status_code == 302

    with installation.admin() as admin:
        admin.add_to_group(person.name, "/voxelhub-users")
    assert person.sign_in().status_code == 200


def test_pages_and_cookies_are_guarded(installation: Installation, new_person: NewPerson) -> None:
    """No framing, no sniffing; every cookie of the hub SameSite, and those that prove something out of reach for scripts."""
    person = new_person()
    login = person.page("/hub/login")
    assert "frame-ancestors 'none'" in login.headers["Content-Security-Policy"]
    assert login.headers["X-Content-Type-Options"] == "nosniff"
    page = person.sign_in()
    lines = [line for answer in (*page.history, page) if answer.url.port == installation.settings.port
             for line in answer.headers.get_list("Set-Cookie")]
    cookies = [line for line in lines if line.split(";")[0].split("=", 1)[1].strip('"')]  # the others are taken away
    names = {line.split("=")[0] for line in cookies}
    assert {"jupyterhub-hub-login", "voxelhub-idt"} <= names
    for line in cookies:
        assert "samesite=lax" in line.lower(), line.split("=")[0]
        assert "httponly" in line.lower() or line.startswith("_xsrf"), line.split("=")[0]


def test_groups_and_roles_reach_the_hub(new_person: NewPerson) -> None:
    person = new_person(projects=("demo", "lung"), roles=("researcher", "clinician"))
    person.sign_in()
    model = person.hub_api("GET", "user").json()
    assert set(model["groups"]) == {"/voxelhub-users", "/projects/demo", "/projects/lung", "role:researcher", "role:clinician"}
    assert model["admin"] is False


def test_an_administrator_is_one_by_group(installation: Installation, new_person: NewPerson) -> None:
    """Sees people and ends servers; does not open them, and makes no token in another's name."""
    person = new_person()
    person.sign_in()
    assert person.page("/hub/admin").status_code == 403
    assert person.spawn({"profile": "small"}).status_code in STARTED
    with Person(installation, "admin-grace") as grace:
        grace.sign_in()
        assert grace.page("/hub/admin").status_code == 200
        assert person.name in {user["name"] for user in grace.hub_api("GET", "users").json()}
        assert grace.hub_api("POST", f"users/{person.name}/tokens", json={"note": "x"}).status_code in {403, 404}
        assert grace.http.get(f"{person.server_url}/api/contents").status_code == 403
        assert "auth_state" not in grace.hub_api("GET", f"users/{person.name}").json()
        assert grace.hub_api("DELETE", f"users/{person.name}/server").status_code in {202, 204}
    until(lambda: not processes(installation, person.name), 120, "the end of the server")


def test_logout_ends_the_keycloak_session_without_a_question(new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    page = person.http.get(f"{person.url}/hub/logout")
    assert str(page.url).startswith(f"{person.url}/hub/login"), page.url
    assert "Do you want to log out" not in page.text
    again = person.http.get(f"{person.url}/hub/oauth_login")
    assert "kc-form-login" in again.text, "Keycloak did not ask for the password again"


def test_logout_in_one_browser_leaves_the_other(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    with Person(installation, person.name, person.password) as elsewhere:
        elsewhere.sign_in()
        person.sign_in()  # the later one: its tokens are in auth_state
        page = elsewhere.http.get(f"{person.url}/hub/logout")
        assert "Do you want to log out" not in page.text
        assert "kc-form-login" in elsewhere.http.get(f"{person.url}/hub/oauth_login").text
    time.sleep(2.5)  # one auth_refresh_age
    assert person.page("/hub/home").status_code == 200


def test_twenty_requests_at_once_lose_no_session(installation: Installation, new_person: NewPerson, short_lived: int) -> None:
    """Refresh tokens work once: all who ask must share one rotation. Until there were two of them."""
    person = new_person()
    person.sign_in()
    cookies = dict(person.http.cookies.items())
    scope = "access:services!service=voxelhub"
    made = person.hub_api("POST", f"users/{person.name}/tokens", json={"note": "t", "expires_in": 600, "scopes": [scope]})
    headers = {"Authorization": f"Bearer {made.json()['token']}"}

    def ask(number: int) -> str:
        if number % 4 == 0:
            answer = httpx.get(f"{person.url}/hub/home", cookies=cookies, trust_env=False, timeout=60)
            return str(answer.status_code)
        answer = httpx.post(f"{installation.api}/tokens/access", headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    deadline, tokens = time.monotonic() + 300, set()  # an access token is refreshed 15 s before its end
    with ThreadPoolExecutor(20) as pool:
        while len(tokens) < 3 and time.monotonic() < deadline:
            answers = set(pool.map(ask, range(20)))
            assert "200" in answers and "302" not in answers
            tokens |= answers - {"200"}
            time.sleep(2.2)
    lives = [unverified(token)["exp"] - unverified(token)["iat"] for token in tokens]
    assert len(tokens) >= 3 and all(life == short_lived for life in lives)


def test_an_ended_session_is_noticed_at_once(installation: Installation, new_person: NewPerson) -> None:
    """By Keycloak's own word, the back-channel logout."""
    person = new_person()
    person.sign_in()
    assert person.page("/hub/home").status_code == 200
    told = installation.logs()["hub"].count("POST /hub/backchannel-logout")
    with installation.admin() as admin:
        admin.end_sessions(person.name)
    until(lambda: installation.logs()["hub"].count("POST /hub/backchannel-logout") > told, 60, "Keycloak's word")
    until(lambda: person.page("/hub/home").status_code == 302, 60, "the refusal")


def test_a_forged_logout_token_does_nothing(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    address = f"{installation.url}/hub/backchannel-logout"
    for token in ("", "nonsense", "a.b.c", "x" * 100_000):
        answer = httpx.post(address, data={"logout_token": token}, trust_env=False)
        assert answer.status_code == 400 and not answer.text
    assert person.page("/hub/home").status_code == 200


def test_a_hanging_keycloak_logs_nobody_out_and_lets_nobody_in(
    installation: Installation, new_person: NewPerson, short_lived: int,
) -> None:
    """Stopped, not killed: connections open and nothing answers, while an access token comes to its end."""
    person = new_person()
    person.sign_in()
    time.sleep(short_lived / 3)
    keycloak = psutil.Process(installation.pid("keycloak"))
    keycloak.suspend()
    try:
        stranger, outage_ends = browser(), time.monotonic() + short_lived * 2 / 3
        page = stranger.get(f"{installation.url}/hub/oauth_login")
        assert page.status_code == 503 and "does not answer" in page.text and "Traceback" not in page.text
        while time.monotonic() < outage_ends:
            assert person.page("/hub/home").status_code == 200
            time.sleep(1)
    finally:
        keycloak.resume()
    until(lambda: stranger.get(f"{installation.url}/hub/oauth_login").status_code == 200, 120, "sign-in after the outage")
    back = time.monotonic() + 10
    while time.monotonic() < back:
        assert person.page("/hub/home").status_code == 200
        time.sleep(1)
    stranger.close()


def test_a_killed_keycloak_logs_nobody_out(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    time.sleep(5)  # until Keycloak wrote the session
    before = installation.status()["children"]["keycloak"]["restarts"]
    installation.kill("keycloak")
    killed, grace = time.monotonic(), installation.settings.outage_grace
    while time.monotonic() - killed < grace - 20:  # a busy machine may need longer than the grace to start Keycloak again
        assert person.page("/hub/home").status_code == 200
        child = installation.status()["children"]["keycloak"]
        if child["restarts"] > before and child["state"] == "ready":
            break
        time.sleep(0.5)
    installation.wait_ready("keycloak", before + 1, 180)
    until(lambda: person.page("/hub/home").status_code == 200, 120, "the same session behind the new Keycloak")
