"""Places outside of a registry that take and give versions: a folder, an fsspec URL, a repository of Hugging Face."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from modelyard.registry.errors import RegistryError
from modelyard.registry.remotes.remote import Remote

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
LOCAL = ("file://", "local://")


def remote_of(address: str | os.PathLike[str], options: Mapping[str, Any]) -> Remote:
    """The place that an address means; nothing is asked there yet.

    `options`: what its client understands: storage options of fsspec; `token` and `endpoint` for Hugging Face.
    RegistryError for an address that means none, and for a client that is not installed.
    """
    text = os.fspath(address)
    if text.startswith(("hf://", "hf:")):
        from modelyard.registry.remotes.hub import HubRemote

        return HubRemote(text, options)
    if URL.match(text) and not text.startswith(LOCAL):
        from modelyard.registry.remotes.urls import UrlRemote

        return UrlRemote(text, options)
    from modelyard.registry.remotes.folders import FolderRemote

    for each in LOCAL:
        text = text.removeprefix(each)
    if not text or "\0" in text:
        raise RegistryError(f"{os.fspath(address)!r} is no place for models", "bad-address", "name a folder or a URL")
    if options:
        raise TypeError(f"a folder understands no {next(iter(options))!r}")
    return FolderRemote(os.path.abspath(text))
