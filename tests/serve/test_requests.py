"""Requests over a real socket: what fits is answered, what does not is refused with its field, and dangers by name."""

from __future__ import annotations

import io
import pickle
import socket
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from modelyard.serve.arrays import NPY, NPZ, Arrays
from modelyard.serve.batching import Bounds
from modelyard.serve.service import Access, Limits
from serve.models import Echo, Sums, service
from serve.serving import ask, served

ROW = {"inputs": {"x": [[1, 2, 3]]}}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of sums with small limits."""
    with served(service(Sums(), Limits(body=4096, bounds=Bounds(patience=1)))) as address:
        yield address


def npz(**arrays: Any) -> bytes:
    """Arrays as a client packs them."""
    file = io.BytesIO()
    numpy.savez_compressed(file, **arrays)
    return file.getvalue()


def npy(array: Any) -> bytes:
    """One array as a client packs it."""
    file = io.BytesIO()
    numpy.save(file, array)
    return file.getvalue()


def test_json_in_and_out(url: str) -> None:
    answer = ask(f"{url}/predict", {"inputs": {"x": [[1, 2, 3], [4, 5, None]]}})
    assert answer.json == {
        "model": "team/sums",
        "version": "1.2.0",
        "outputs": {"total": [6.0, None], "name": ["few", "few"]},
    }


@pytest.mark.parametrize(("media", "pack"), [(NPY, lambda x: npy(x)), (NPZ, lambda x: npz(x=x))], ids=["npy", "npz"])
def test_arrays_in_and_out(url: str, media: str, pack: Any) -> None:
    x = numpy.arange(6, dtype="f4").reshape(2, 3)
    answer = ask(f"{url}/predict", pack(x), media, Accept=NPZ)
    assert answer.headers["content-type"] == NPZ
    found = numpy.load(io.BytesIO(answer.body), allow_pickle=False)
    assert found["total"].tolist() == [3, 12]
    assert found["name"].tolist() == ["few", "many"]
    assert ask(f"{url}/predict", pack(x), media, Accept=NPY).status == 406


def test_every_dtype_comes_back_as_it_was() -> None:
    with served(service(Echo())) as url:
        kinds = [each.dtype for each in Echo.signature.inputs]
        arrays = {
            f"of {each}": numpy.ones((3, 2), each) if each != "str" else numpy.full((3, 2), "é") for each in kinds
        }
        answer = ask(f"{url}/predict", npz(**arrays), NPZ, Accept=NPZ)
        found = numpy.load(io.BytesIO(answer.body))
        for each in kinds:
            assert (found[f"same {each}"] == arrays[f"of {each}"]).all()
            assert found[f"same {each}"].dtype == arrays[f"of {each}"].dtype


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": {"x": [[1, 2]]}}, "inputs.x[0]"),
        ({"inputs": {"x": [[1, 2, "3"]]}}, "inputs.x[0][2]"),
        ({"inputs": {"x": [[1, 2, True]]}}, "inputs.x[0][2]"),
        ({"inputs": {"x": [[1, 2, 1e39]]}}, "inputs.x[0][2]"),
        ({"inputs": {"x": []}}, "inputs.x"),
        ({"inputs": {"x": [[1, 2, 3]], "y": 1}}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": {"x": [[[1], [2], [3]]]}}, "inputs.x[0][0]"),
    ],
)
def test_what_does_not_fit_is_named(url: str, body: object, field: str) -> None:
    answer = ask(f"{url}/predict", body)
    assert (answer.status, answer.json["field"]) == (422, field)


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"inputs": ' + b"[" * 3000, "application/json", 422),
        (b"x=1", "text/plain", 415),
        (b"", NPY, 422),
        (b"\x93NUMPY\x09\x00", NPY, 422),
        (b"PK\x03\x04", NPZ, 400),
        (npy(numpy.zeros((1, 3), "f8")), NPY, 422),
        (npy(numpy.zeros((1, 4), "f4")), NPY, 422),
        (npz(x=numpy.zeros((1, 3), "f4"), z=1), NPZ, 422),
        (npz(z=numpy.zeros((1, 3), "f4")), NPZ, 422),
    ],
)
def test_nonsense_is_refused(url: str, body: bytes, media: str, status: int) -> None:
    assert ask(f"{url}/predict", body, media).status == status


def test_a_pickle_in_an_array_is_never_loaded(url: str) -> None:
    evil = npy(numpy.array([[print, 1, 2]], dtype=object))
    assert pickle.dumps(print)[-9:-3] in evil
    assert ask(f"{url}/predict", evil, NPY).status == 422


def test_an_archive_that_unpacks_to_too_much(url: str) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(1 << 20))
    assert len(bomb.getvalue()) < 4096
    assert ask(f"{url}/predict", bomb.getvalue(), NPZ).status == 413


def test_an_array_header_that_promises_a_terabyte(url: str) -> None:
    body = npy(numpy.zeros((1, 3), "f4")).replace(b"(1, 3), }      ", b"(9999999999,3),}")[:-1]
    assert b"(9999999999,3)" in body
    assert ask(f"{url}/predict", body, NPY).status == 422


def test_a_body_that_is_too_large(url: str) -> None:
    assert ask(f"{url}/predict", b" " * 5000).status == 413


def raw(url: str, text: bytes, then: bytes = b"", pause: float = 0.0) -> bytes:
    """Sends bytes over a socket of its own, and gives what came back."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(text)
        if then:
            time.sleep(pause)
            connection.sendall(then)
        return connection.recv(4096)


def test_a_body_that_does_not_say_how_large_it_is(url: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 413 " in raw(url, head + b"1388\r\n" + b" " * 5000 + b"\r\n0\r\n\r\n")


def test_a_body_that_does_not_come(url: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{"
    assert b" 408 " in raw(url, head)


def test_a_number_of_bytes_that_is_none(url: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n"
    assert b" 400 " in raw(url, head)


def test_a_page_of_somebody_else_that_points_its_name_here() -> None:
    with served(service(Sums(), access=Access(hosts=frozenset({"127.0.0.1", "localhost"})))) as url:
        assert ask(f"{url}/health").status == 200
        assert ask(f"{url}/health", Host="127.0.0.1:9").status == 200
        assert ask(f"{url}/health", Host="evil.example").status == 400
        assert ask(f"{url}/predict", ROW, Host="evil.example").status == 400


def test_without_the_token_only_health_is_told() -> None:
    with served(service(Sums(), access=Access("secret"))) as url:
        for path in ("/health", "/v2/health/live", "/v2/health/ready", "/docs"):
            assert ask(url + path).status == 200
        for path in ("/metadata", "/metrics", "/openapi.json", "/v2", "/v2/models/team/sums", "/nowhere"):
            assert ask(url + path).status == 401
        assert ask(f"{url}/predict", ROW, Authorization="Bearer secreT").status == 401
        assert ask(f"{url}/predict", ROW, Authorization="Bearer secret").status == 200


class Slow(Sums):
    """A model that takes a while."""

    def predict(self, inputs: Arrays) -> Arrays:
        """After a while."""
        time.sleep(0.4)
        return super().predict(inputs)


def test_when_too_many_wait_the_next_is_told_to_come_again() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with (
        served(service(Slow(), Limits(bounds=Bounds(rows=1, delay=0, queue=1)))) as url,
        ThreadPoolExecutor(6) as pool,
    ):
        answers = list(pool.map(lambda _: ask(f"{url}/predict", ROW), range(6)))
    statuses = {each.status for each in answers}
    assert statuses == {200, 503}
    assert all(each.headers["retry-after"] == "1" for each in answers if each.status == 503)


class Broken(Sums):
    """A model that cannot do what it says."""

    def predict(self, inputs: Arrays) -> Arrays:
        """Fails."""
        raise RuntimeError("no such operator")


def test_a_model_that_fails_is_told_and_goes_on() -> None:
    with served(service(Broken())) as url:
        for _ in range(2):
            answer = ask(f"{url}/predict", ROW)
            assert (answer.status, answer.json["error"]) == (500, "the model failed: RuntimeError: no such operator")


def test_measures_count_what_happened(url: str) -> None:
    ask(f"{url}/predict", ROW)
    text = ask(f"{url}/metrics").body.decode()
    assert 'modelyard_requests_total{route="/predict",status="200"}' in text
    assert "modelyard_batch_rows_count" in text
    assert 'modelyard_model_info{model="team/sums",version="1.2.0"} 1.0' in text
