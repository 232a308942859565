"""Tiny wheels, and an index on this machine that serves them."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PACKAGES: dict[str, Mapping[str, bytes]] = {
    "bigmodel": {"bigmodel/__init__.py": b"def main(): print('big')\n", "bigmodel/data.bin": os.urandom(2_000_000)},
    "smalllib": {"smalllib/__init__.py": b"", "smalllib/data.bin": os.urandom(200_000)},
    "nvidia_cublas_cu12": {"nvidia/cublas/lib/libcublas.so.12": os.urandom(3_000_000)},
}


def build(folder: Path) -> Path:
    """A folder with a wheel of each package."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, files in PACKAGES.items():
        _wheel(folder / f"{name}-1.0-py3-none-any.whl", name, files)
    return folder


def _wheel(path: Path, name: str, files: Mapping[str, bytes]) -> None:
    notes = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    info = f"{name}-1.0.dist-info"
    everything = dict(files) | {f"{info}/{note}": text.encode() for note, text in notes.items()}
    record = "".join(f"{each},sha256={_digest(content)},{len(content)}\n" for each, content in everything.items())
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in everything.items():
            archive.writestr(each, content)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files that a client may keep for an hour."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        """Says how long."""
        self.send_header("Cache-Control", "max-age=3600")
        super().end_headers()

    def log_message(self, *words: object) -> None:
        """Says nothing."""


@contextmanager
def index(wheels: Path, folder: Path) -> Iterator[str]:
    """The address of a simple index of the wheels."""
    for wheel in wheels.glob("*.whl"):
        place = folder / "simple" / wheel.name.partition("-")[0].replace("_", "-")
        place.mkdir(parents=True)
        os.link(wheel, place / wheel.name)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        page = f'<!DOCTYPE html><html><body><a href="{wheel.name}#sha256={digest}">{wheel.name}</a></body></html>'
        (place / "index.html").write_text(page)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()
