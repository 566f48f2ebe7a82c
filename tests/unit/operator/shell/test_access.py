"""The access to a Prometheus that wants to know who asks, against servers that demand it."""

import base64
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import ValidationError

from perennial.decide.readings import Reading
from perennial.kube.keys import Key
from perennial.loop.readings.access import Access, AccessError, Tls, proof, ssl_context
from perennial.loop.readings.prometheus import NoAnswer, Prometheus, Query
from perennial.loop.readings.reader import Reader

BASIC = "Basic " + base64.b64encode(b"me:pa:ss w\xc3\xb6rd").decode()


@asynccontextmanager
async def prometheus(
    permits: Callable[[web.Request], bool], context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """URL of a server that answers 1 to those whom it permits, and tells the others what they sent."""

    async def answer(request: web.Request) -> web.Response:
        if not permits(request):
            return web.json_response(
                {"error": f"no {list(request.headers.values())} {request.query_string}"}, status=401
            )
        assert (await request.post())["query"] == "up"
        return web.json_response({"data": {"resultType": "scalar", "result": [0, "1"]}})

    application = web.Application()
    application.router.add_post("/api/v1/query", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield "{}://{}:{}".format("https" if context else "http", *runner.addresses[0])
    finally:
        await runner.cleanup()


async def ask(server: str, access: Access, namespace: str = "demo") -> Reading:
    async with aiohttp.ClientSession() as session:
        return await Prometheus(session, access, lambda result, seconds: None).ask(Query(server, "up", namespace))


def configured(folder: Path, document: dict[str, Any]) -> Access:
    """The access by a configuration, with the files of a Secret beside it."""
    files = {"token": "t0ken\n", "username": "me", "password": "pa:ss wörd\n", "key": "k3y", "custom": "Token t0ken"}
    for name, text in files.items():
        (folder / name).write_text(text)
    return Access.model_validate(document, context={"folder": folder})


WAYS = {
    "a bearer token": ({"bearerTokenFile": "token"}, lambda sent: sent.headers.get("Authorization") == "Bearer t0ken"),
    "a user and a password": (
        {"basicAuth": {"usernameFile": "username", "passwordFile": "password"}},
        lambda sent: sent.headers.get("Authorization") == BASIC,
    ),
    "a header": ({"headers": {"X-Scope-OrgID": "us"}}, lambda sent: sent.headers.get("X-Scope-OrgID") == "us"),
    "a secret header": ({"headerFiles": {"X-Api-Key": "key"}}, lambda sent: sent.headers.get("X-Api-Key") == "k3y"),
    "a scheme of its own": (
        {"headerFiles": {"Authorization": "custom"}},
        lambda sent: sent.headers.get("Authorization") == "Token t0ken",
    ),
    "a parameter": ({"parameters": {"dedup": "true & 1"}}, lambda sent: sent.query.get("dedup") == "true & 1"),
    "a tenant": ({"tenantHeader": "X-Tenant"}, lambda sent: sent.headers.get("X-Tenant") == "team-a"),
    "a tenant by a parameter, beside another one": (
        {"tenantParameter": "namespace", "parameters": {"dedup": "true"}},
        lambda sent: dict(sent.query) == {"namespace": "team-a", "dedup": "true"},
    ),
}


@pytest.mark.parametrize(("document", "permits"), WAYS.values(), ids=WAYS)
async def test_who_is_configured_is_answered_and_nobody_else(tmp_path, document, permits):
    async with prometheus(permits) as server:
        assert await ask(server, configured(tmp_path, document), "team-a") == 1.0
        assert "HTTP 401" in await ask(server, Access(), "team-a")


@pytest.mark.parametrize(
    "document", [document for document, _ in WAYS.values() if document.keys() & {"bearerTokenFile", "basicAuth"}]
    + [{"headerFiles": {"Authorization": "custom", "X-Api-Key": "key"}}],
    ids=["a bearer token", "a user and a password", "secret headers"],
)  # fmt: skip
async def test_a_server_that_repeats_the_credentials_makes_no_reason_of_them(tmp_path, document):
    access = configured(tmp_path, document)
    async with prometheus(lambda sent: False) as server:
        reason = await ask(server, access)
    assert reason.startswith("Prometheus responded with HTTP 401: no [")
    assert "***" in reason
    assert not [secret for secret in ("t0ken", "k3y", "pa:ss", BASIC.split()[1]) if secret in reason]


async def test_a_rotated_token_is_read_anew(tmp_path):
    access = configured(tmp_path, {"bearerTokenFile": "token"})
    valid = "t0ken"
    async with prometheus(lambda sent: sent.headers["Authorization"] == f"Bearer {valid}") as server:
        assert await ask(server, access) == 1.0
        valid = "rotated"
        assert "HTTP 401" in await ask(server, access)
        (tmp_path / "token").write_text("rotated")
        assert await ask(server, access) == 1.0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "token can't be read: No such file or directory", id="no file"),
        pytest.param(b" \n", "token must contain one line of text", id="nothing in it"),
        pytest.param(b"s3cret\nX-Other: a", "token must contain one line of text", id="two lines"),
        pytest.param(b"s3cret\xff", "token must contain one line of text", id="no text"),
    ],
)
async def test_a_token_that_is_none_gives_no_answer_and_is_not_shown(tmp_path, content, reason):
    access = configured(tmp_path, {"bearerTokenFile": "token"})
    (tmp_path / "token").unlink()
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(NoAnswer) as raised:
        await ask("http://prometheus", access)
    assert str(raised.value) == f"http://prometheus can't be asked: {tmp_path}/{reason}"


def test_a_user_name_with_a_colon_is_refused(tmp_path):
    access = configured(tmp_path, WAYS["a user and a password"][0])
    (tmp_path / "username").write_text("a:b")
    with pytest.raises(AccessError, match="username must not contain a colon"):
        proof(access, "")


# --- tenants


async def test_each_namespace_is_a_tenant_of_its_own(tmp_path):
    asked = []

    async def answer(query: Query) -> Reading:
        asked.append(query)
        return 1.0

    reader = Reader("http://prometheus", Access(tenant_header="X-Tenant"), answer, lambda key: None)
    for namespace in ("team-a", "team-b", "team-a"):
        reader.readings({"name": "up"}, Key("LanguageModel", namespace, "one"))
    await reader._work(Query("http://prometheus", "up", "team-a"))
    await reader._work(Query("http://prometheus", "up", "team-b"))
    assert [query.namespace for query in asked] == ["team-a", "team-b"]
    assert len(reader._notes) == 2


def test_with_enforced_namespaces_a_query_that_leaves_them_has_its_reason_as_reading_and_is_not_asked():
    reader = Reader("http://prometheus", Access(enforce_namespace=True), lambda query: None, lambda key: None)
    queries = {"own": 'up{namespace="team-a"}', "other": 'up{namespace="demo"}', "broken": "sum("}
    assert reader.readings(queries, Key("LanguageModel", "team-a", "one")) == {
        "other": 'each selector of the query must have namespace="team-a", unlike up{namespace="demo"}',
        "broken": "the query can't be parsed: unclosed left parenthesis",
    }
    assert [query.promql for query in reader._notes] == [queries["own"]]


# --- certificates


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path) -> None:
    """A certificate authority of its own, and what it has signed for a server and for a client."""
    folder.mkdir()
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        "req", "-x509", *curve, "-days", 2, "-subj", "/CN=ca", "-keyout", folder / "ca.key", "-out", folder / "ca.crt"
    )
    for name, extension in {"server": "subjectAltName=IP:127.0.0.1", "client": "extendedKeyUsage=clientAuth"}.items():
        key, request, crt = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        (folder / "extension").write_text(extension)
        openssl("req", *curve, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signing = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", 2)
        openssl("x509", "-req", "-in", request, *signing, "-extfile", folder / "extension", "-out", crt)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authorities")
    for name in ("ours", "theirs"):
        authority(folder / name)
    return folder


def server_context(folder: Path, *, wants_client: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    if wants_client:
        context.load_verify_locations(folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def tls(folder: Path, client: Path | None = None) -> Access:
    pair = {"cert_file": client / "client.crt", "key_file": client / "client.key"} if client else {}
    return Access(tls=Tls(ca_file=folder / "ca.crt", **pair))


async def test_only_a_server_of_the_configured_authority_is_asked(authorities):
    ours, theirs = authorities / "ours", authorities / "theirs"
    async with prometheus(lambda sent: True, server_context(ours, wants_client=False)) as server:
        assert await ask(server, tls(ours)) == 1.0
        for access in (tls(theirs), Access()):
            with pytest.raises(NoAnswer, match=r"can't be reached: .*certificate verify failed"):
                await ask(server, access)


async def test_a_server_that_wants_a_certificate_answers_those_who_have_it(authorities):
    ours, theirs = authorities / "ours", authorities / "theirs"
    async with prometheus(lambda sent: True, server_context(ours, wants_client=True)) as server:
        assert await ask(server, tls(ours, ours)) == 1.0
        for access in (tls(ours), tls(ours, theirs)):
            with pytest.raises(NoAnswer, match="can't be reached"):
                await ask(server, access)


async def test_a_rotated_certificate_is_read_anew_and_another_one_keeps_its_connections(authorities, tmp_path):
    ours, theirs = authorities / "ours", authorities / "theirs"
    for file in theirs.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    access = tls(ours, tmp_path)
    async with prometheus(lambda sent: True, server_context(ours, wants_client=True)) as server:
        with pytest.raises(NoAnswer):
            await ask(server, access)
        for file in ours.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        assert await ask(server, access) == 1.0
    assert ssl_context(access.tls) is ssl_context(access.tls)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, r"client\.key can't be read: No such file or directory", id="no file"),
        pytest.param("ours/client.crt", r"client\.key are not valid certificates: ", id="no key"),
        pytest.param("theirs/client.key", r"are not valid certificates: KEY_VALUES_MISMATCH", id="another one's key"),
        pytest.param("encrypted", "are not valid certificates: ", id="an encrypted key"),
    ],
)
def test_files_that_are_no_certificates_are_refused(authorities, tmp_path, content, reason):
    openssl(
        "ec", "-aes256", "-passout", "pass:x", "-in", authorities / "ours/client.key", "-out", authorities / "encrypted"
    )
    (tmp_path / "client.crt").write_bytes((authorities / "ours" / "client.crt").read_bytes())
    if content:
        (tmp_path / "client.key").write_bytes((authorities / content).read_bytes())
    with pytest.raises(AccessError, match=reason):
        ssl_context(tls(authorities / "ours", tmp_path).tls)


# --- the configuration


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param({"bearerToken": "x"}, "bearerToken", id="an unknown key"),
        pytest.param(
            {"bearerTokenFile": "a", **WAYS["a user and a password"][0]},
            "at most one of bearerTokenFile, basicAuth",
            id="two ways at once",
        ),
        pytest.param({"basicAuth": {"usernameFile": "a"}}, "passwordFile", id="half of basic authentication"),
        pytest.param({"tls": {"certFile": "a"}}, "certFile and keyFile must be set together", id="half of a pair"),
        pytest.param({"headers": {"cookie": "a"}}, "cookie is a credential; set it in headerFiles", id="a credential"),
        pytest.param({"headers": {"A b": "c"}}, "headers.A b", id="no name of a header"),
        pytest.param({"headers": {"A": "b\nC: d"}}, "headers.A", id="a header in a header"),
        pytest.param({"headers": {"A": "b"}, "tenantHeader": "a"}, "the header a is set twice", id="a header twice"),
        pytest.param(
            {"bearerTokenFile": "a", "headerFiles": {"authorization": "b"}},
            "the header Authorization is set twice",
            id="two authorizations",
        ),
        pytest.param({"parameters": {"query": "up"}}, "must not contain query", id="another query"),
        pytest.param({"tenantParameter": "query"}, "must not contain query", id="a tenant for the query"),
        pytest.param(
            {"parameters": {"namespace": "a"}, "tenantParameter": "namespace"},
            "the parameter namespace is set twice",
            id="a parameter twice",
        ),
        pytest.param({"tenantParameter": "a&b"}, "tenantParameter", id="no name of a parameter"),
    ],
)
def test_a_contradictory_configuration_is_refused(document, reason):
    with pytest.raises(ValidationError) as refusal:
        Access.model_validate(document)
    places = [".".join(map(str, error["loc"])) + error["msg"] for error in refusal.value.errors()]
    assert [place for place in places if reason in place]


def test_a_file_is_beside_the_configuration_or_has_an_absolute_path(tmp_path):
    own = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert configured(tmp_path, {"bearerTokenFile": "token"}).bearer_token_file == tmp_path / "token"
    assert configured(tmp_path, {"bearerTokenFile": own}).bearer_token_file == Path(own)
