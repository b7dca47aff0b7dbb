"""Who lost the right to be here is out within the bound, and what they started is ended: computing or not, watched or not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from support.installation import Installation, until
from support.kernel import RemoteKernel
from support.person import STARTED, NewPerson, processes
from voxelhub_hub.directory import KeycloakAdmin

BOUND = 60  # seconds, of the issue
LOSSES: dict[str, Callable[[KeycloakAdmin, str], None]] = {
    "disabled": lambda admin, name: admin._realm("PUT", f"/users/{admin._user(name).id}", json={"enabled": False}),
    "deleted": lambda admin, name: admin.delete_user(name),
    "left the allowed group": lambda admin, name: admin.remove_from_group(name, "/voxelhub-users"),
    "left a mounted project": lambda admin, name: admin.remove_from_group(name, "/projects/lung"),
}


async def test_computing_servers_without_a_browser_are_ended(installation: Installation, new_person: NewPerson) -> None:
    """Four people at once, each for a reason of their own."""
    people = {loss: new_person(projects=("demo", "lung")) for loss in LOSSES}
    for person in people.values():
        person.sign_in()
        assert person.spawn({"profile": "small"}).status_code in STARTED
    kernels = {loss: RemoteKernel(person.server_url, person.server_token()) for loss, person in people.items()}
    for loss, kernel in kernels.items():
        await kernel.__aenter__()
        endless = "while True: pass" if loss == "disabled" else "import time; time.sleep(3600)"
        await kernel.socket.write_message(kernel_request(kernel, endless))
        assert processes(installation, people[loss].name)
    with installation.admin() as admin:
        for loss, person in people.items():
            LOSSES[loss](admin, person.name)
    # Nobody asks anything from here on: no page, no call.
    until(lambda: not any(processes(installation, person.name) for person in people.values()), BOUND, "the end of the servers")
    for loss, person in people.items():
        kernels[loss].socket.close()
        assert person.server("GET", "api/status").status_code in {302, 403, 404, 424, 503}, loss
    for loss, person in people.items():
        again = person.spawn({"profile": "small"})
        if loss == "left a mounted project":
            assert again.status_code in STARTED, "may start again, without that project"
            assert not (person.server("GET", "api/contents/projects/lung").is_success)
            assert person.server("GET", "api/contents/projects/demo").is_success
        else:
            assert again.status_code in {401, 403}, loss
            assert person.page("/hub/home").status_code == 302, loss


def kernel_request(kernel: RemoteKernel, code: str) -> str:
    header = {"msg_id": "endless", "username": "", "session": kernel.session, "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    return json.dumps(message)


def test_an_ended_session_loses_access_and_keeps_its_kernels(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    person.spawn({"profile": "small"})
    kernel = person.server("POST", "api/kernels", json={"name": "imaging"}).json()["id"]
    assert person.server("GET", "api/kernels").json()[0]["id"] == kernel
    with installation.admin() as admin:
        admin.end_sessions(person.name)
    until(lambda: person.server("GET", "api/kernels").status_code in {302, 403}, BOUND, "the refusal")
    assert person.spawn().status_code in {401, 403}
    time.sleep(25)  # more than two of the periodic looks
    assert any("ipykernel_launcher" in " ".join(p.cmdline()) for p in processes(installation, person.name))
    person.sign_in()
    until(lambda: person.server("GET", "api/kernels").status_code == 200, 60, "access after signing in again")
    assert person.server("GET", "api/kernels").json()[0]["id"] == kernel
    person.stop()


def test_a_killed_hub_finds_its_servers_again(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    person.spawn({"profile": "small"})
    kernel = person.server("POST", "api/kernels", json={"name": "imaging"}).json()["id"]
    before = {p.pid for p in processes(installation, person.name)}
    installation.restart("hub")
    until(lambda: person.server("GET", "api/kernels").status_code == 200, 120, "the server behind the new hub")
    assert person.server("GET", "api/kernels").json()[0]["id"] == kernel
    assert before <= {p.pid for p in processes(installation, person.name)}
    person.stop()
    assert not processes(installation, person.name)
