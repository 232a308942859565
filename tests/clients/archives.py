"""Archives and packages made on the spot, for servers that clients download from."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath


def files_below(folder: Path) -> dict[str, bytes]:
    """The contents of all files under a folder, by their path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive, folders before what is in them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in _with_folders(files):
            archive.mkdir(name) if content is None else archive.writestr(name, content)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A compressed tar archive, folders before what is in them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in _with_folders(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(content or b"")
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry, io.BytesIO(content or b""))
    return packed.getvalue()


def _with_folders(files: Mapping[str, bytes]) -> list[tuple[str, bytes | None]]:
    folders = dict.fromkeys(
        str(parent) for name in files for parent in reversed(PurePosixPath(name).parents) if str(parent) != "."
    )
    return [*((name, None) for name in folders), *files.items()]


def wheel(name: str, version: str, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A pure wheel: its file name and content."""
    info = f"{name}-{version}.dist-info"
    told = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    whole = {**files, **told}
    record = "".join(f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in whole.items())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in (whole | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}).items():
            archive.writestr(path, content)
    return f"{name}-{version}-py3-none-any.whl", packed.getvalue()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def source(name: str, version: str) -> tuple[str, bytes]:
    """A source distribution of one module: its file name and content."""
    setup = f"from setuptools import setup\nsetup(name='{name}', version='{version}', py_modules=['{name}'])\n"
    told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {"setup.py": setup.encode(), f"{name}.py": b"answer = 42\n", "PKG-INFO": told.encode()}
    top = f"{name}-{version}"
    return f"{top}.tar.gz", tarred({f"{top}/{path}": content for path, content in files.items()})
