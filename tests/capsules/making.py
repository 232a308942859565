"""Wheels, environments and repositories for the tests, made by the real programs."""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from environments_real.wheels import Pages
from modelyard.api.environments import Opened, opened, write_capsule
from modelyard.problem import Problem


def wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes], points: str = "") -> Path:
    """A wheel with these files; names may lie in its `.data` folder."""
    info = f"{name}-{version}.dist-info"
    notes = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    } | ({"entry_points.txt": f"[console_scripts]\n{points}\n"} if points else {})
    everything = dict(files) | {f"{info}/{note}": text.encode() for note, text in notes.items()}
    lines = [f"{each},sha256={digest(data)},{len(data)}" for each, data in everything.items()]
    path = folder / f"{name}-{version}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in everything.items():
            archive.writestr(each, data)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return path


def digest(data: bytes) -> str:
    """A hash as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


@contextmanager
def served(folder: Path, handler: type[http.server.SimpleHTTPRequestHandler] = Pages) -> Iterator[str]:
    """The address of a folder on this machine."""
    made = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def publish(wheels: Path, folder: Path) -> None:
    """Lays out a simple index of these wheels, with pages in HTML."""
    for each in sorted(wheels.glob("*.whl")):
        place = folder / "simple" / each.name.partition("-")[0]
        place.mkdir(parents=True, exist_ok=True)
        os.link(each, place / each.name)
        with (place / "index.html").open("a") as page:
            page.write(
                f'<a href="{each.name}#sha256={hashlib.sha256(each.read_bytes()).hexdigest()}">{each.name}</a>\n'
            )


def variables(home: Path, index: str = "") -> dict[str, str]:
    """What installers get: an index of this machine or none, and a home of their own."""
    known = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    known |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "PIP_TIMEOUT": "5"}
    return known | ({"PIP_INDEX_URL": f"{index}/simple"} if index else {"PIP_NO_INDEX": "1"})


def run(*command: object, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """Runs a program; its own words when it fails."""
    done = subprocess.run(list(map(str, command)), env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@functools.cache
def pattern() -> Path:
    """An environment with pip and what comes with it, made once; removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="modelyard-pattern-")
    atexit.register(shutil.rmtree, folder)
    run(base_python(), "-m", "venv", folder, env=variables(Path(folder)))
    return Path(folder)


def venv(prefix: Path, env: Mapping[str, str], *packages: object) -> Path:
    """A virtual environment made from the Python below this one, with pip as the pattern has it and these packages."""
    run(base_python(), "-m", "venv", "--without-pip", prefix, env=env)
    (site,) = pattern().glob("lib/python*/site-packages")
    shutil.copytree(site, prefix / site.relative_to(pattern()), dirs_exist_ok=True)
    (record,) = prefix.glob("lib/python*/site-packages/pip-*.dist-info/RECORD")
    for program in pattern().glob("bin/pip*"):
        old, new = program.read_bytes(), program.read_bytes().replace(bytes(pattern()), bytes(prefix))
        Path(shutil.copy2(program, prefix / "bin")).write_bytes(new)
        record.write_text(record.read_text().replace(f"{digest(old)},{len(old)}", f"{digest(new)},{len(new)}"))
    if packages:
        run(prefix / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", *packages, env=env)
    return prefix


def base_python() -> str:
    """The Python that this one was made from."""
    return str(getattr(sys, "_base_executable", sys.executable))


def frozen(prefix: Path, into: Path) -> Opened:
    """The capsule of an environment, read back."""
    path = write_capsule(prefix, into)
    assert isinstance(path, Path), path
    found = opened(path)
    assert isinstance(found, Opened), found
    return found


def problem(found: object) -> Problem:
    """What must be a problem."""
    assert isinstance(found, Problem), found
    return found


def listed(prefix: Path, env: Mapping[str, str]) -> set[str]:
    """What pip says is installed."""
    text = run(prefix / "bin" / "python", "-I", "-m", "pip", "list", "--format", "freeze", env=env)
    return {line.partition(" @")[0] for line in text.split()}


def unpacked(path: Path) -> dict[str, bytes]:
    """Every member of a capsule."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def git(folder: Path, *words: object) -> str:
    """Runs git in a folder with no settings but its own."""
    home = folder.parent
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"}
    names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.org"))}  # fmt: skip
    return run("git", *words, env=env | names, cwd=folder)
