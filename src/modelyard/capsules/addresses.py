"""Addresses without what must not be written down: passwords, tokens in paths, signed queries."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

CONDA_TOKEN = re.compile(r"/t/[^/]+(?=/)")
"""How conda puts a channel's token into the path."""
HASH = re.compile(r"(?:^|&)((?:sha256|sha384|sha512|md5|subdirectory|egg)=[^&]*)")
SCP = re.compile(r"^[\w.-]+@([\w.-]+):(?!//)")
"""`user@host:path`, git's short form of SSH; the user is no secret."""


def clean(address: str) -> tuple[str, bool]:
    """The address without its secrets, and whether it had any. The user of an SSH address stays: it is a name."""
    if SCP.match(address):
        return address, False
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "", True
    user = parts.netloc.rpartition("@")[0]
    kept = f"{user}@" if user and ":" not in user and "ssh" in parts.scheme else ""
    path = CONDA_TOKEN.sub("", parts.path)
    fragment = "&".join(HASH.findall(parts.fragment))
    made = urlunsplit(SplitResult(parts.scheme, kept + host, path, "", fragment))
    if parts.scheme == "file" and not host:
        made = f"file://{path}" + (f"#{fragment}" if fragment else "")
    secret = bool(user and not kept) or path != parts.path or bool(parts.query)
    return made, secret


def local_folder(address: str) -> str:
    """The folder of a `file://` address, empty for any other."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return ""
    folder = unquote(parts.path, errors="surrogateescape")
    return "" if "\0" in folder else folder


def fetchable(address: str) -> bool:
    """Whether a program may be given the address: an ordinary one, which cannot be taken for an option or a command."""
    if " " in address or not address.isprintable():
        return False
    return bool(re.match(r"(https?|ssh|git|file)://[^-]|[\w.-]+@[\w.-]+:[^-]|/", address))
