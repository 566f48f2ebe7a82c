"""Keys of clients. The engine is not started: a request that is admitted learns that the model is loading."""

from pathlib import Path

import httpx
import openai
import pytest

from perennial_serving.engine.engine import Engine
from perennial_serving.engine.metrics import Metrics
from perennial_serving.http.app import application
from perennial_serving.tasks import TASKS

RIGHT, OTHER = "right-0123456789", "other-0123456789"
LOADING = 503


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Keys as the kubelet mounts a Secret: links to files in a folder that it replaces."""
    folder = tmp_path / "keys"
    behind = folder / "..data"
    behind.mkdir(parents=True)
    for name, content in {"website": f"{RIGHT}\n", "batch": OTHER, "blank": " \n"}.items():
        (behind / name).write_text(content)
        (folder / name).symlink_to(behind / name)
    return folder


@pytest.fixture
def http(secret: Path) -> httpx.AsyncClient:
    metrics = Metrics()

    def load() -> None:
        raise AssertionError("the engine is not started")

    app = application(
        Engine(load, 1, 1, metrics), metrics, [task.api for task in TASKS.values()], "7", lambda: False, secret
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://model")


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(bearing(RIGHT), LOADING, id="a key"),
        pytest.param({"authorization": f"bearer   {OTHER} "}, LOADING, id="another key, spelled in another way"),
        pytest.param({}, 401, id="no key"),
        pytest.param(bearing(""), 401, id="an empty key"),
        pytest.param(bearing(RIGHT[:-1]), 401, id="a part of a key"),
        pytest.param(bearing(f"{RIGHT}\n{OTHER}".replace("\n", " ")), 401, id="two keys"),
        pytest.param({"Authorization": f"Basic {RIGHT}"}, 401, id="another scheme"),
        pytest.param({"Authorization": b"Bearer \xff\xfe"}, 401, id="no text"),
        pytest.param({"x-api-key": RIGHT}, 401, id="another header"),
    ],
)
async def test_a_request_needs_one_of_the_keys(http: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/completions"), ("POST", "/"), ("GET", "/")):
        assert (await http.request(method, path, headers=headers)).status_code == status, path


async def test_a_path_that_does_not_exist_is_not_told_apart_without_a_key(http: httpx.AsyncClient) -> None:
    assert (await http.get("/nowhere")).status_code == 401
    assert (await http.get("/nowhere", headers=bearing(RIGHT))).status_code == 404


async def test_a_refusal_has_the_shape_that_the_client_reads(http: httpx.AsyncClient) -> None:
    completions, inference = await http.post("/v1/completions"), await http.post("/")
    for response in (completions, inference):
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.headers["x-perennial-version"] == "7"
    assert completions.json()["error"]["code"] == inference.json()["code"] == "invalid_api_key"
    assert inference.json()["error"] == completions.json()["error"]["message"]


@pytest.mark.parametrize(("key", "error"), [(RIGHT, openai.InternalServerError), ("wrong", openai.AuthenticationError)])
async def test_the_client_of_openai_sends_its_key(
    http: httpx.AsyncClient, key: str, error: type[openai.APIStatusError]
) -> None:
    client = openai.AsyncOpenAI(base_url="http://model/v1", api_key=key, max_retries=0, http_client=http)
    with pytest.raises(error):
        await client.completions.create(model="writer", prompt="x")


async def test_probes_and_metrics_need_no_key_and_refusals_are_counted(http: httpx.AsyncClient) -> None:
    await http.post("/v1/completions")
    assert (await http.get("/health/ready")).text == "the model is loading"
    assert (await http.get("/health/live")).text == "the engine has stopped"
    assert 'perennial_requests_total{code="401",route="/v1/completions"} 1.0' in (await http.get("/metrics")).text


async def test_a_key_that_is_revoked_or_added_counts_at_once(http: httpx.AsyncClient, secret: Path) -> None:
    assert (await http.get("/", headers=bearing(RIGHT))).status_code == LOADING
    (secret / "website").unlink()
    (secret / "new").write_text("new")
    assert (await http.get("/", headers=bearing(RIGHT))).status_code == 401
    assert (await http.get("/", headers=bearing("new"))).status_code == LOADING
    secret.rename(secret.with_name("gone"))
    assert (await http.get("/", headers=bearing("new"))).status_code == 401, "no Secret admits nobody"
