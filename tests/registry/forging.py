"""What somebody does who may write into a registry: other files, with digests that fit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def forge(folder: Path, name: str, data: bytes) -> None:
    """Puts a file into a version, or another one in its place, and makes metadata and sums agree with it."""
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    metadata = json.loads((folder / "metadata.json").read_text())
    files = [each for each in metadata["files"] if each["path"] != name]
    if name != "metadata.json":
        files.append({"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    rewrite(folder, {**metadata, "files": files})


def rewrite(folder: Path, metadata: dict[str, object]) -> None:
    """Gives a version these metadata, and sums that fit them."""
    for name in ("metadata.json", "SHA256SUMS"):
        (folder / name).unlink()
    text = json.dumps(metadata)
    (folder / "metadata.json").write_text(text)
    files = metadata["files"]
    assert isinstance(files, list)
    lines = [f"{each['sha256']}  {each['path']}" for each in files]
    lines.append(f"{hashlib.sha256(text.encode()).hexdigest()}  metadata.json")
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n")
