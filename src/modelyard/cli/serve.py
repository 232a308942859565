"""`modelyard serve`: a saved model behind HTTP."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.errors import ERROR, REFUSED, HelpfulError
from modelyard.cli.options import Request, with_place
from modelyard.units import parse_size

if TYPE_CHECKING:
    from modelyard.registry.registry import Registry
    from modelyard.serve.choosing import Engine, Wish
    from modelyard.serve.service import Limits, Service

TOKEN = "MODELYARD_TOKEN"  # noqa: S105 - the name of the variable
MOST_TOKEN = 4096
EXTRA = "pip install 'modelyard[serve]'"


@click.command("serve")
@click.argument("which", metavar="NAME[@VERSION]")
@click.option(
    "--registry", "folder", type=click.Path(path_type=Path), default="models", show_default=True, metavar="DIR"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address than loopback needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--engine", type=click.Choice(["auto", "onnx", "native"]), default="auto", show_default=True)
@click.option("--max-batch", type=click.IntRange(1, 65536), default=64, show_default=True, help="Rows of one call.")
@click.option(
    "--max-delay", type=click.FloatRange(0, 1000), default=2, show_default=True, metavar="MS",
    help="How long a request may wait for others to share a call with.",
)  # fmt: skip
@click.option("--queue", type=click.IntRange(1, 1_000_000), default=256, show_default=True, help="Requests that wait.")
@click.option("--timeout", type=click.FloatRange(0.01, 3600), default=30, show_default=True, metavar="S")
@click.option("--max-body", default="32MB", show_default=True, metavar="SIZE", help="Bytes of one request.")
@click.option("--threads", type=click.IntRange(0, 1024), default=0, help="Of the model; 0: what its engine chooses.")
@click.option("--token-file", type=click.Path(path_type=Path), help=f"Its first line; or the variable {TOKEN}.")
@click.option("--trust", multiple=True, metavar="NAME", help="A class, module or package that the model may use.")
@click.option("--allow-pickle", is_flag=True, help="Serve a model whose file executes code when it is loaded.")
@with_place
def command(
    request: Request,
    which: str,
    folder: Path,
    host: str,
    port: int,
    engine: Engine,
    max_batch: int,
    max_delay: float,
    queue: int,
    timeout: float,
    max_body: str,
    threads: int,
    token_file: Path | None,
    trust: tuple[str, ...],
    allow_pickle: bool,
) -> None:
    """Serve a version of the registry over HTTP.

    POST /predict takes JSON or NumPy arrays; the Open Inference Protocol lies below /v2. /docs is a page to try it,
    /metrics is for Prometheus. Ctrl-C stops it after the last answer.
    """
    most = _bytes(max_body)
    with _extra():
        from modelyard.registry.registry import Registry
        from modelyard.serve.batching import Bounds
        from modelyard.serve.choosing import Wish
        from modelyard.serve.service import Limits

        limits = Limits(most, Bounds(max_batch, max_delay / 1000, queue, timeout))
        wish = Wish(engine, threads, allow_pickle, trust)
        _serve(Registry(folder), which, wish, limits, (host, port), _token(token_file))


def _serve(registry: Registry, which: str, wish: Wish, limits: Limits, at: tuple[str, int], token: str) -> None:
    """Loads the model, binds, and stays until it is told to stop."""
    from modelyard.registry.errors import RegistryError, UnsafeError
    from modelyard.serve.choosing import Served
    from modelyard.serve.running import access_for, address_of, bound, run

    try:
        with Served(registry, which) as held:
            service = held.service(held.predictor(wish), limits, access_for(at[0], token))
            with _free(*at), bound(*at) as listening:
                run(service, listening, lambda: _say(service, address_of(listening)))
    except RegistryError as error:
        code = REFUSED if isinstance(error, UnsafeError) else ERROR
        raise HelpfulError(error.message, error.hint or "`modelyard registry ls` lists what is there", code) from error


def _say(service: Service, url: str) -> None:
    print(f"{service.name} {service.version} through {service.predictor.engine} at {url}", file=sys.stderr)
    print(f"  {url}/docs shows and tries it; Ctrl-C stops it", file=sys.stderr)
    if service.access.token:
        print(f"  every request needs the header   Authorization: Bearer {service.access.token}", file=sys.stderr)
    sys.stderr.flush()


@contextmanager
def _extra() -> Iterator[None]:
    """What is missing is named with the command that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise HelpfulError(f"serving needs {error.name}, which is not installed", EXTRA) from error


@contextmanager
def _free(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            why = os.strerror(error.errno)
            raise HelpfulError(f"{host} port {port}: {why}", "--port 0 takes any that is free") from error
        raise


def _bytes(text: str) -> int:
    try:
        found = parse_size(text)
    except ValueError as error:
        raise click.UsageError(f"--max-body: {error}") from error
    if not found:
        raise click.UsageError("--max-body: a request has to hold something")
    return found


def _token(file: Path | None) -> str:
    """The token of a file or the variable; a command line would show it to every user of the machine."""
    if file is None:
        return os.environ.get(TOKEN, "")
    from modelyard.problem import Problem
    from modelyard.walk.read import read_file

    text = read_file(os.fsencode(file), MOST_TOKEN, follow=True)
    if isinstance(text, Problem):
        raise HelpfulError(f"{file}: {text.message}", "--token-file names a file with one line")
    token = (text.decode("ascii", "replace").split() or [""])[0]
    if not token:
        raise HelpfulError(f"{file}: there is no token in it", "write one line into it")
    return token
