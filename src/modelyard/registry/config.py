"""`config.json`: what a codec needs beside the weights, read from verified bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.layout import CONFIG


def encode(config: Mapping[str, Any]) -> bytes:
    """As it is written. RegistryError for values that JSON has not."""
    try:
        return msgspec.json.format(msgspec.json.encode(dict(config)), indent=2) + b"\n"
    except (TypeError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError) as error:
        hint = "numbers, texts, lists and dicts can be kept"
        raise RegistryError(f"the configuration cannot be written as JSON: {error}", "bad-config", hint) from error


def read_config(files: Held) -> dict[str, Any]:
    """What it says; empty where there is none. RegistryError for a damaged one."""
    if not files.has(CONFIG):
        return {}
    try:
        return msgspec.json.decode(bytes(files.content(CONFIG)), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"{files.shown(CONFIG)} cannot be read: {error}", "damaged-config") from error
