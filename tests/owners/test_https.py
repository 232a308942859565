"""Asking the network: bounded in time, bytes and trust, whatever the server does."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard.owners.https import Reply, Web
from modelyard.problem import Problem

Answer = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """A server that does with every connection what a function says; its address."""
    listening: list[socket.socket] = []
    ended = threading.Event()

    def started(answer: Answer) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def one(connection: socket.socket) -> None:
            with connection:
                try:
                    answer(connection)
                except OSError:
                    return

        def run() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield started
    ended.set()
    for each in listening:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


def head(connection: socket.socket) -> bytes:
    """What the client asks."""
    asked = b""
    while b"\r\n\r\n" not in asked and (part := connection.recv(4096)):
        asked += part
    return asked


def says(answer: bytes) -> Answer:
    """Reads the question, gives the answer, hangs up."""

    def one(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(answer)

    return one


def drips(start: bytes, drop: bytes) -> Answer:
    """A start, and then a drop at a time for ever."""

    def one(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(start)
        while True:
            connection.sendall(drop)
            time.sleep(0.01)

    return one


def floods(start: bytes, piece: bytes) -> Answer:
    """A start, and then pieces for ever as fast as they go."""

    def one(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return one


def asked(web: Web, url: str, cap: int = 1 << 20) -> str:
    """The code of what went wrong, or the status and the body; soon."""
    started = time.monotonic()
    reply = web.ask(url, cap=cap)
    assert time.monotonic() - started < 5
    return reply.code if isinstance(reply, Problem) else f"{reply.status} {reply.body.decode()}"


def quick() -> Web:
    """A way to ask that loses patience soon."""
    return Web({}, silence=0.3, whole=0.8)


Serve = Callable[[Answer], str]
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_an_answer(serve: Serve) -> None:
    assert asked(quick(), serve(says(WHOLE))) == "200 {}"


def test_no_secret_and_no_compression_is_offered(serve: Serve) -> None:
    seen: list[bytes] = []

    def one(connection: socket.socket) -> None:
        seen.append(head(connection))
        connection.sendall(WHOLE)

    env = {"HF_TOKEN": "hf_secret", "HUGGING_FACE_HUB_TOKEN": "hf_secret", "HTTP_PROXY": "http://me:w0rd@127.0.0.1:9"}
    assert asked(Web(env), serve(one)) == "200 {}"
    text = seen[0].lower()
    assert b"authorization" not in text and b"cookie" not in text and b"secret" not in text
    assert b"accept-encoding: identity" in text


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "too-large"),
        (floods(CHUNKS, b"10000\r\n" + b"x" * 65536 + b"\r\n"), "too-large"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"), "too-large"),
        (floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536), "bad-answer"),
        (floods(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"), "bad-answer"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "slow"),
        (drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "slow"),
        (drips(b"", b"H"), "slow"),
        (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "slow"),
        (lambda connection: time.sleep(3), "slow"),
        (says(b""), "offline"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "bad-answer"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"), "bad-answer"),
        (says(CHUNKS + b"zz\r\n{}"), "bad-answer"),
    ],
    ids=[
        "endless body", "endless chunks", "a huge length", "an endless header", "endless headers", "a dripping body",
        "a dripping header", "a dripping status", "endless continues", "silence", "hangs up", "no HTTP", "cut short",
        "broken chunks",
    ],
)  # fmt: skip
def test_a_hostile_server_is_a_problem_soon(answer: Answer, code: str, serve: Serve) -> None:
    assert asked(quick(), serve(answer)) == code


def test_a_redirect_loop_ends(serve: Serve) -> None:
    assert (
        asked(quick(), serve(says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")))
        == "redirect-loop"
    )


@pytest.mark.parametrize(
    "place", ["http://example.invalid/", "file:///etc/passwd", "ftp://127.0.0.1/", "http://[::/", ""]
)
def test_redirects_lead_to_https_or_loopback_only(place: str, serve: Serve) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
    assert asked(quick(), serve(says(answer))) in ("unsafe-redirect", "bad-address") if place else "redirect-loop"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "https://", "http://me:w0rd@127.0.0.1/", "http://127.0.0.1:99999/", "http://[::/", "x"],
)
def test_what_is_no_address_is_not_asked(url: str) -> None:
    reply = quick().ask(url)
    assert isinstance(reply, Problem) and reply.code == "bad-address"
    assert "w0rd" not in f"{reply.path} {reply.message}"


def test_who_is_out_of_reach_is_not_asked_again(serve: Serve) -> None:
    count: list[int] = []

    def one(connection: socket.socket) -> None:
        count.append(1)
        time.sleep(2)

    url, web = serve(one), quick()
    assert [asked(web, url), asked(web, url + "other")] == ["slow", "slow"]
    assert len(count) == 1


def test_who_asks_to_wait_is_not_asked_again(serve: Serve) -> None:
    url, web = serve(says(b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n")), quick()
    assert [asked(web, url), asked(web, url)] == ["busy", "busy"]


@pytest.fixture
def vouched(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that only itself vouches for, and what a server needs of it."""
    made, key = tmp_path / "made.pem", tmp_path / "key.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    subprocess.run(["openssl", *words, "-out", made, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


def test_a_certificate_nobody_vouches_for_is_not_trusted(serve: Serve, vouched: tuple[Path, ssl.SSLContext]) -> None:
    made, context = vouched

    def one(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            head(secure)
            secure.sendall(WHOLE)

    url = serve(one).replace("http://127.0.0.1", "https://localhost")
    assert asked(Web({}), url) == "certificate"
    assert asked(Web({"REQUESTS_CA_BUNDLE": str(made)}), url) == "200 {}"
    assert asked(Web({"CURL_CA_BUNDLE": str(made)}), url.replace("localhost", "127.0.0.1")) == "certificate"


def test_a_server_that_drips_inside_of_tls_is_slow(serve: Serve, vouched: tuple[Path, ssl.SSLContext]) -> None:
    made, context = vouched

    def one(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x")(secure)

    url = serve(one).replace("http://127.0.0.1", "https://localhost")
    assert asked(Web({"REQUESTS_CA_BUNDLE": str(made)}, silence=0.3, whole=0.8), url) == "slow"


def test_a_handshake_that_drips_is_slow(serve: Serve) -> None:
    url = serve(drips(b"", b"\x16")).replace("http://127.0.0.1", "https://localhost")
    assert asked(quick(), url) in ("slow", "certificate")


def test_a_bundle_that_is_none_is_a_problem() -> None:
    assert asked(Web({"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}), "https://127.0.0.1:9/") == "certificate"


def test_the_proxy_is_asked_in_place_of_the_server(serve: Serve) -> None:
    seen: list[bytes] = []

    def one(connection: socket.socket) -> None:
        seen.append(head(connection))
        connection.sendall(WHOLE)

    proxy = serve(one).replace("http://", "http://me:pass%40word@")
    assert asked(Web({"http_proxy": proxy}), "http://example.invalid/a?b=c") == "200 {}"
    assert seen[0].startswith(b"GET http://example.invalid/a?b=c HTTP/1.1")
    assert b"Proxy-Authorization: Basic bWU6cGFzc0B3b3Jk" in seen[0]
    asked(quick_through(proxy), "https://example.invalid/")
    assert seen[1].startswith(b"CONNECT example.invalid:443 ")


def quick_through(proxy: str) -> Web:
    """A way to ask by a proxy for everything."""
    return Web({"ALL_PROXY": proxy}, silence=0.3, whole=0.8)


@pytest.mark.parametrize("spared", ["*", "example.invalid", ".invalid", "a.test, invalid"])
def test_no_proxy_is_honoured(spared: str) -> None:
    env = {"https_proxy": "http://127.0.0.1:9", "no_proxy": spared}
    reply = Web(env, silence=0.3, whole=0.8).ask("https://example.invalid/")
    assert isinstance(reply, Problem) and "127.0.0.1" not in reply.message and "example.invalid" in reply.message


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://[::", "http://127.0.0.1:no"])
def test_a_proxy_that_is_not_spoken_is_a_problem(proxy: str) -> None:
    assert asked(quick_through(proxy), "https://example.invalid/") == "bad-proxy"


def test_closing_ends_what_others_wait_for(serve: Serve) -> None:
    web, found = Web({}), []
    url = serve(lambda connection: time.sleep(5))
    thread = threading.Thread(target=lambda: found.append(web.ask(url)))
    thread.start()
    time.sleep(0.2)
    started = time.monotonic()
    web.close()
    thread.join()
    assert time.monotonic() - started < 2
    assert isinstance(found[0], Problem)
    later = web.ask(url + "later")
    assert isinstance(later, Problem) and not isinstance(later, Reply)


def test_an_answer_that_was_packed_all_the_same_is_not_unpacked(serve: Serve) -> None:
    """A few bytes may become gigabytes."""
    bomb = gzip.compress(bytes(1 << 20))
    told = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    reply = quick().ask(serve(says(told + bomb)))
    assert isinstance(reply, Reply) and reply.body == bomb
