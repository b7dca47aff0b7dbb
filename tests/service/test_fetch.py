"""Loading from a URL, over real sockets: whatever the host does, the bytes are right or a sentence says why there are none."""

from __future__ import annotations

import hashlib
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support import databases
from support.samples import write_ct_series
from support.service import bearer, make_service
from support.uploads import open_project, project_row, publish_import
from support.web import Request, Script, cut, status, web, whole
from support.world import ROOT
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import order, tus
from voxelhub_service.errors import Problem
from voxelhub_service.imports.fetch import Fetched, Patience, fetch
from voxelhub_service.models import AuditEvent, Entry, File, Project, Reservation, Run, Upload, UploadFile

DATA = bytes(range(256)) * 8192 * 10  # 20 MiB: more than two records on disk
SMALL = bytes(range(256)) * 400
QUICK = Patience(attempts=3, first=0.01, longest=0.02, asked=2.0, idle=5.0, total=60.0)


class Place:
    """An upload from a URL as the route makes it, and the fetch as the import's process calls it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.client, self.context = make_service(folder, min_free=0, **{"url_private": True, **settings})
        self.project = open_project(self.context)
        self.texts: list[str] = []

    def ask(self, url: str, **more: Any) -> Any:
        body = {"project": "demo", "title": "Far data", "url": url, **more}
        return self.client.post("/imports/url", json=body, headers={**bearer("alice"), "Idempotency-Key": "one"})

    def order(self, url: str, **more: Any) -> tuple[Upload, UploadFile, Path]:
        answer = self.ask(url, **more)
        assert answer.status_code == 201, answer.text
        return self.upload(answer.json()["id"])

    def upload(self, run: str) -> tuple[Upload, UploadFile, Path]:
        with reading(self.context.engine) as session:
            upload = session.scalars(select(Upload).where(Upload.run_id == run)).one()
            file = session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id)).one()
        return upload, file, tus.part_path(self.context, file)

    def fetch(self, url: str, patience: Patience = QUICK, **more: Any) -> Fetched:
        upload, file, target = self.order(url, **more)
        return fetch(self.context, upload, file, target, lambda fraction, text: self.texts.append(text), patience)

    def refusal(self, url: str, patience: Patience = QUICK, **more: Any) -> Problem:
        with pytest.raises(Problem) as caught:
            self.fetch(url, patience, **more)
        _, _, target = self.order(url, **more)
        assert not target.exists(), "nothing of a refused file is kept"
        assert "/study" not in caught.value.detail + "".join(self.texts), "the address is told to nobody"
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def right(place: Place, fetched: Fetched, data: bytes) -> None:
    _, _, target = place.upload(run_of(place))
    assert target.read_bytes() == data
    assert (fetched.size, fetched.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def run_of(place: Place) -> str:
    with reading(place.context.engine) as session:
        return session.scalars(select(Run.id)).one()


def test_a_file_arrives_and_is_not_loaded_twice(place: Place) -> None:
    with web(whole(DATA)) as host:
        fetched = place.fetch(host.url(), sha256=hashlib.sha256(DATA).hexdigest())
        right(place, fetched, DATA)
        assert fetched.name == "study.zip"
        assert place.fetch(host.url()) == fetched
        assert len(host.requests) == 1
    asked = host.requests[0].fields
    assert asked["accept-encoding"] == "identity" and asked["host"] == f"127.0.0.1:{host.port}" and "range" not in asked
    assert place.texts[-1] == "Loaded 20.0 MiB from 127.0.0.1" and any("%" in text for text in place.texts)


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_broken_off_at_96_percent(place: Place, reset: bool) -> None:
    at = len(DATA) * 96 // 100
    with web(cut(DATA, at, reset=reset), whole(DATA)) as host:
        right(place, place.fetch(host.url()), DATA)
    resumed = host.requests[1]
    assert resumed.fields["if-range"] == '"one"' and 0 < resumed.start <= at


def test_a_connection_that_breaks_again_and_again_gets_there_as_long_as_bytes_come(place: Place) -> None:
    cuts = [cut(SMALL, len(SMALL) * part // 10, reset=False) for part in range(1, 10)]  # more often than QUICK.attempts
    with web(*cuts, whole(SMALL)) as host:
        right(place, place.fetch(host.url()), SMALL)
    assert len(host.requests) == 10


def test_another_content_begins_again(place: Place) -> None:
    other = DATA[::-1]
    with web(cut(DATA, len(DATA) // 2, reset=False), whole(other, '"two"')) as host:
        right(place, place.fetch(host.url()), other)
    assert host.requests[1].start > 0


@pytest.mark.parametrize(
    "lie", [{"ETag": '"two"'}, {"Content-Range": "bytes 7-{last}/{size}"}, {"Content-Range": "bytes {start}-{last}/999"}]
)
def test_a_part_that_does_not_belong_begins_again(place: Place, lie: dict[str, str]) -> None:
    def wrong(request: Request) -> None:
        known = {"start": request.start, "last": len(SMALL) - 1, "size": len(SMALL)}
        fields = {
            "ETag": '"one"',
            "Content-Range": "bytes {start}-{last}/{size}",
            "Content-Length": len(SMALL) - request.start,
            **lie,
        }
        request.answer(206, {name: str(text).format(**known) for name, text in fields.items()}, SMALL[request.start :])

    with web(cut(SMALL, 5000, reset=False), wrong, whole(SMALL)) as host:
        right(place, place.fetch(host.url()), SMALL)
    assert [request.start for request in host.requests] == [0, 5000, 0]


@pytest.mark.parametrize("validators", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_strong_validator_it_begins_again(place: Place, validators: dict[str, str]) -> None:
    def plain(at: int | None) -> Script:
        return lambda request: request.answer(200, {"Content-Length": len(SMALL), **validators}, SMALL[:at])

    with web(plain(70_000), plain(None)) as host:
        right(place, place.fetch(host.url()), SMALL)
    assert [request.start for request in host.requests] == [0, 0]


def test_last_modified_is_a_validator(place: Place) -> None:
    when = "Wed, 01 Jan 2025 00:00:00 GMT"

    def script(at: int | None) -> Script:
        def answer(request: Request) -> None:
            start = request.start if request.fields.get("if-range") == when else 0
            fields = {"Last-Modified": when, "Content-Length": len(SMALL) - start}
            if start:
                fields["Content-Range"] = f"bytes {start}-{len(SMALL) - 1}/{len(SMALL)}"
            request.answer(206 if start else 200, fields, SMALL[start:at])

        return answer

    with web(script(70_000), script(None)) as host:
        right(place, place.fetch(host.url()), SMALL)
    assert [request.start for request in host.requests] == [0, 70_000]


def test_a_length_that_is_too_short_is_a_lie(place: Place) -> None:
    with web(lambda request: request.answer(200, {"Content-Length": 1000}, SMALL)) as host:
        assert "more bytes than it announces" in place.refusal(host.url()).detail


def test_a_length_that_is_too_long_is_given_up(place: Place) -> None:
    with web(lambda request: request.answer(200, {"Content-Length": len(SMALL) + 1}, SMALL)) as host:
        problem = place.refusal(host.url())
    assert "announces 102401 bytes and ends after 102400" in problem.detail and len(host.requests) == 3


def test_chunks_need_no_length(place: Place) -> None:
    def chunks(request: Request) -> None:
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (SMALL[:9], SMALL[9:])) + b"0\r\n\r\n"
        request.answer(200, {"Transfer-Encoding": "chunked"}, body)

    def torn(request: Request) -> None:
        request.answer(200, {"Transfer-Encoding": "chunked"}, b"ff\r\nabc")

    with web(torn, chunks) as host:
        right(place, place.fetch(host.url()), SMALL)
    assert reserved(place.context) == len(SMALL)


def test_to_the_end_of_the_connection(place: Place) -> None:
    with web(lambda request: request.answer(200, {}, SMALL)) as host:
        right(place, place.fetch(host.url()), SMALL)


def test_too_many_requests(place: Place) -> None:
    with web(status(429, Retry_After=1), status(503), whole(SMALL)) as host:
        right(place, place.fetch(host.url()), SMALL)
    assert any("asks for fewer requests" in text for text in place.texts)


def test_a_host_that_asks_for_too_much_patience(place: Place) -> None:
    with web(status(429, Retry_After=7200)) as host:
        assert "come back in 120 minutes" in place.refusal(host.url()).detail
    assert len(host.requests) == 1


def test_a_host_that_stays_silent(place: Place) -> None:
    hold = threading.Event()
    with web(lambda request: hold.wait(120) and None) as host:
        problem = place.refusal(host.url(), replace(QUICK, attempts=2, idle=0.2))
        hold.set()
    assert problem.code == "url_unreachable" and "does not answer" in problem.detail and len(host.requests) == 2


def test_a_host_that_is_not_there(place: Place) -> None:
    with web(whole(SMALL)) as host:
        pass
    assert place.refusal(host.url()).code == "url_unreachable"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (401, "login"),
        (403, "refuses"),
        (404, "no file"),
        (410, "no file"),
        (418, "status 418"),
        (204, "status 204"),
        (500, "status 500"),
    ],
)
def test_answers_without_a_file(place: Place, code: int, words: str) -> None:
    with web(status(code)) as host:
        assert words in place.refusal(host.url()).detail
    assert len(host.requests) == (3 if code == 500 else 1)


def test_no_encoding_on_the_way(place: Place) -> None:
    with web(whole(SMALL, Content_Encoding="gzip")) as host:
        assert place.refusal(host.url()).code == "url_encoded"


def test_redirects(place: Place) -> None:
    steps = [
        status(code, Location=to) for code, to in ((301, "/a/b"), (302, "c?token=x"), (303, "//127.0.0.1:{port}/d"), (308, "/e"))
    ]
    with web(whole(SMALL)) as host:
        steps[2] = status(303, Location=f"//127.0.0.1:{host.port}/d")
        host.scripts[:0] = steps
        right(place, place.fetch(host.url()), SMALL)
    assert [request.path for request in host.requests] == ["/study.zip", "/a/b", "/a/c?token=x", "/d", "/e"]


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "gopher://x/", "http://user:word@127.0.0.1/", "ftp://127.0.0.1/x", "http://[::1/", ""]
)
def test_redirects_that_lead_nowhere(place: Place, to: str) -> None:
    with web(status(302, Location=to)) as host:
        assert place.refusal(host.url()).code == "bad_redirect"


def test_a_redirect_in_a_circle(place: Place) -> None:
    with web(status(302, Location="/again")) as host:
        assert place.refusal(host.url()).code == "too_many_redirects"
    assert len(host.requests) == 11


def test_the_name_of_the_file(place: Place) -> None:
    with web(whole(SMALL, Content_Disposition='attachment; filename="../../a b.tar.gz"')) as host:
        assert place.fetch(host.url("/download?id=7")).name == "a b.tar.gz"


def test_the_digest_that_its_publisher_names(place: Place) -> None:
    with web(whole(SMALL)) as host:
        assert place.refusal(host.url(), sha256="0" * 64).code == "digest_differs"


def reserved(context: Context) -> int:
    with reading(context.engine) as session:
        return session.scalars(select(Reservation.size)).one()


def quota(place: Place, size: int) -> None:
    with writing(place.context.engine) as session:
        session.get_one(Project, place.project).quota_bytes = size


def test_no_room_is_told_before_the_first_byte(place: Place) -> None:
    quota(place, 1000)
    sent = threading.Event()

    def script(request: Request) -> None:
        request.answer(200, {"Content-Length": 10**12})
        sent.set()

    with web(script) as host:
        assert "has room for 1000 bytes; this needs 931.3 GiB" in place.refusal(host.url()).detail


def test_without_a_length_it_stops_where_the_room_ends(place: Place) -> None:
    quota(place, len(SMALL) - 1)
    with web(lambda request: request.answer(200, {}, SMALL)) as host:
        assert place.refusal(host.url()).code == "quota_exceeded"
    quota(place, len(SMALL))
    with web(lambda request: request.answer(200, {}, SMALL)) as host:
        upload, file, target = place.order(host.url())
        order.write(target.parent, order.Order(url=host.url()))
        assert fetch(place.context, upload, file, target, lambda fraction, text: None, QUICK).size == len(SMALL)
    assert reserved(place.context) == len(SMALL) and project_row(place.context).used_bytes == 0


def test_a_limit_for_each_host(place: Place) -> None:
    """Five imports at once: never more than two speak with the host."""
    hold = threading.Semaphore(0)

    def slow(request: Request) -> None:
        hold.acquire(timeout=120)
        whole(SMALL)(request)

    with web(slow) as host:
        threads = []
        for number in range(5):
            answer = place.client.post(
                "/imports/url", headers=bearer("alice"), json={"project": "demo", "title": f"Number {number}", "url": host.url()}
            )
            upload, file, target = place.upload(answer.json()["id"])
            one = threading.Thread(
                target=fetch, args=(place.context, upload, file, target, lambda f, t: place.texts.append(t), QUICK)
            )
            one.start()
            threads.append(one)
        while not any(text.startswith("Waits for other imports") for text in place.texts):
            pass
        for _ in threads:
            hold.release()
        for one in threads:
            one.join()
    assert len(host.requests) == 5 and host.most_at_once == 2


KILLED = """
import sys
from voxelhub_service.context import Context
from voxelhub_service.database_place import open_database
from voxelhub_service.imports.fetch import Patience, fetch
from voxelhub_service.models import Upload, UploadFile
from voxelhub_service.database import reading
from voxelhub_service.settings import load_settings
from voxelhub_service.datasets import tus
settings = load_settings()
context = Context(settings, open_database(settings), None)
with reading(context.engine) as session:
    upload, file = session.get_one(Upload, sys.argv[1]), session.get_one(UploadFile, sys.argv[2])
print(fetch(context, upload, file, tus.part_path(context, file), lambda fraction, text: None).sha256)
"""


@pytest.mark.parametrize("at", ["fetch.bytes_written", "fetch.complete"])
def test_killed_it_goes_on(place: Place, tmp_path: Path, at: str) -> None:
    trigger = tmp_path / "kill"
    trigger.write_text(at)
    with web(whole(DATA)) as host:
        upload, file, target = place.order(host.url())
        environ = {
            **os.environ,
            **databases.environ(place.context.settings),
            "VOXELHUB_URL_PRIVATE": "true",
            "VOXELHUB_MIN_FREE": "0",
            "VOXELHUB_KILL_AT": str(trigger),
        }
        command = [sys.executable, "-c", KILLED, upload.id, file.id]
        assert subprocess.run(command, env=environ, check=False).returncode == -9
        with target.open("ab") as part:
            part.write(b"what nobody vouches for")
        again = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    assert again.stdout.strip() == hashlib.sha256(DATA).hexdigest()
    assert target.read_bytes() == DATA
    assert len(host.requests) == (2 if at == "fetch.bytes_written" else 1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A certificate for `data.example` that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "cert.pem",
            "-subj",
            "/CN=data.example",
            "-addext",
            "subjectAltName=DNS:data.example",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


def far(place: Place, url: str, **more: Any) -> Fetched:
    """As if the name server gave loopback for every name."""
    upload, file, target = place.order(url)
    return fetch(place.context, upload, file, target, lambda f, t: None, QUICK, lambda host, port: ["127.0.0.1"])


def test_https_asks_for_the_name_of_the_url(place: Place, authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = authority
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, _: names.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with web(whole(SMALL), context=context) as host:
        right(place, far(place, host.url(host="data.example")), SMALL)
    assert names == ["data.example"] and host.requests[0].fields["host"] == f"data.example:{host.port}"


@pytest.mark.parametrize("host_name", ["data.example", "other.example"])
def test_https_with_a_certificate_that_proves_nothing(
    place: Place, authority: Any, monkeypatch: pytest.MonkeyPatch, host_name: str
) -> None:
    context, certificate = authority
    if host_name == "other.example":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with web(whole(SMALL), context=context) as host, pytest.raises(Problem, match="certificate"):
        far(place, host.url(host=host_name))
    assert host.requests == []


def test_from_https_nothing_leads_to_http(place: Place, authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with web(whole(SMALL)) as plain, web(status(302, Location=plain.url()), context=context) as host:
        with pytest.raises(Problem) as caught:
            far(place, host.url(host="data.example"))
        assert caught.value.code == "redirect_downgrade" and plain.requests == []


@pytest.mark.parametrize("kind", ["open", "clinical"])
def test_an_archive_from_far_becomes_a_dataset(tmp_path: Path, kind: str) -> None:
    """The whole way, as the worker goes it: fetched, unpacked, looked at or cleaned, published."""
    place = Place(tmp_path, envs_dir=ROOT / ".envs")
    study, packed = tmp_path / "study", io.BytesIO()
    write_ct_series(study)
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(study, "study")
    with writing(place.context.engine) as session:
        session.get_one(Project, place.project).open = kind == "open"
    with web(cut(packed.getvalue(), 50_000, reset=False), whole(packed.getvalue())) as host:
        run = place.ask(host.url("/far/study.tar.gz?token=hush")).json()["id"]
        version = publish_import(place.context, run)
    with reading(place.context.engine) as session:
        entries = [(one.kind, one.data_type, one.n_files) for one in session.scalars(select(Entry)) if one.kind == "series"]
        paths = list(session.scalars(select(File.path).where(File.version_id == version.id)))
    assert entries == [("series", "ct-image", 24)]
    assert all(path.startswith("study/study/") for path in paths) == (kind == "open")


# --- the route


def test_the_run_of_an_import(place: Place) -> None:
    secret = "https://data.example/study.zip?token=hush"
    run = place.ask(secret).json()
    assert (run["kind"], run["title"], run["state"]) == ("import", "Import Far data", "queued")
    assert place.ask(secret).json()["id"] == run["id"]
    upload, file, target = place.upload(run["id"])
    assert (upload.source, upload.state, upload.origin, upload.clinical) == ("url", "importing", "data.example", False)
    assert (file.path, file.size, file.sha256) == ("000001", 0, None)
    told = order.read(target.parent)
    assert (told.url, told.names) == (secret, {"000001": "study.zip"})
    with reading(place.context.engine) as session:
        actions = {event.action: event.detail for event in session.scalars(select(AuditEvent))}
    assert actions["upload.create"]["origin"] == "data.example" and {"upload.create", "run.create"} <= set(actions)
    database = databases.everything(place.context)
    assert b"hush" not in database and b"data.example" in database


def test_two_requests_at_once_with_one_key(place: Place) -> None:
    url = "https://data.example/study.zip"
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: place.ask(url), range(6)))
    assert {answer.status_code for answer in answers} == {201} and len({answer.json()["id"] for answer in answers}) == 1
    assert order.read(place.upload(answers[0].json()["id"])[2].parent).url == url


def test_a_clinical_project_takes_it_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with writing(place.context.engine) as session:
        session.get_one(Project, place.project).open = False
    run = place.ask("https://data.example/study.zip").json()
    assert place.upload(run["id"])[0].clinical is True


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "bad_scheme"),
        ("sftp://host/x", "bad_scheme"),
        ("study.zip", "bad_scheme"),
        ("https://user:word@host/x", "url_with_login"),
        ("https:///nothing", "bad_url"),
        ("https://host:99999/", "bad_url"),
        ("https://host/a b", "bad_url"),
        ("https://host/\r\nHost: other", "bad_url"),
        ("https://ho st/", "bad_url"),
        ("ftp://host/a%0d%0aDELE%20x", "bad_url"),
        ("https://[::1/", "bad_url"),
        ("https://-x-/", "bad_url"),
        ("https://a..b/", "bad_url"),
    ],
)
def test_what_is_no_address(place: Place, url: str, code: str) -> None:
    answer = place.ask(url)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert list(place.context.settings.uploads_dir.iterdir()) == []


@pytest.mark.parametrize("user", ["mallory", "outsider"])
def test_a_stranger_imports_nothing(place: Place, user: str) -> None:
    body = {"project": "demo", "title": "Mine", "url": "https://data.example/x"}
    assert place.client.post("/imports/url", json=body, headers=bearer(user)).status_code in (403, 404)


# --- ftp


@contextmanager
def ftp_host(folder: Path, **handler: Any) -> Iterator[int]:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

    authorizer = DummyAuthorizer()
    if handler.pop("anonymous", True):
        authorizer.add_anonymous(str(folder))
    kind = type("Handler", (FTPHandler,), {"authorizer": authorizer, "banner": "ready", **handler})
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), kind, ioloop=loop)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.02, blocking=False)
        server.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        stop.set()
        thread.join(60)


def test_ftp(place: Place, tmp_path: Path) -> None:
    (tmp_path / "ftp/deep").mkdir(parents=True)
    (tmp_path / "ftp/deep/a study.zip").write_bytes(DATA)
    with ftp_host(tmp_path / "ftp") as port:
        fetched = place.fetch(f"ftp://127.0.0.1:{port}/deep/a%20study.zip")
    right(place, fetched, DATA)
    assert fetched.name == "a study.zip"


def test_ftp_goes_on_where_a_record_vouches_for_the_bytes(place: Place, tmp_path: Path) -> None:
    from pyftpdlib.handlers import FTPHandler

    (tmp_path / "ftp").mkdir()
    (tmp_path / "ftp/study.zip").write_bytes(DATA)
    asked: list[int] = []

    def rest(self: Any, line: str) -> Any:
        asked.append(int(line))
        return FTPHandler.ftp_REST(self, line)

    with ftp_host(tmp_path / "ftp", ftp_REST=rest) as port:
        url = f"ftp://127.0.0.1:{port}/study.zip"
        place.fetch(url)
        _, file, target = place.order(url)
        record = target.with_name(f"{file.id}.fetch.json")
        record.write_text(json.dumps({**json.loads(record.read_text()), "sha256": "", "offset": 9_000_000}))
        right(place, place.fetch(url), DATA)
        assert asked == [9_000_000]
        record.write_text(json.dumps({**json.loads(record.read_text()), "sha256": "", "offset": 9_000_000}))
        (tmp_path / "ftp/study.zip").write_bytes(SMALL)  # another size and time: begins again
        right(place, place.fetch(url), SMALL)
    assert asked == [9_000_000]


@pytest.mark.parametrize(
    ("path", "anonymous", "code"), [("/no.zip", True, "url_not_found"), ("/study.zip", False, "url_needs_login")]
)
def test_ftp_refusals(place: Place, tmp_path: Path, path: str, anonymous: bool, code: str) -> None:
    (tmp_path / "ftp").mkdir()
    (tmp_path / "ftp/study.zip").write_bytes(SMALL)
    with ftp_host(tmp_path / "ftp", anonymous=anonymous) as port:
        assert place.refusal(f"ftp://127.0.0.1:{port}{path}").code == code


def test_ftp_data_comes_from_the_host_that_was_checked(place: Place, tmp_path: Path) -> None:
    """The answer to PASV names another machine; it is not called."""
    (tmp_path / "ftp").mkdir()
    (tmp_path / "ftp/study.zip").write_bytes(SMALL)
    with ftp_host(tmp_path / "ftp", masquerade_address="192.0.2.7") as port:
        right(place, place.fetch(f"ftp://127.0.0.1:{port}/study.zip"), SMALL)
