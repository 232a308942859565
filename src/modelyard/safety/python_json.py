"""JSON as the libraries of Python read it: NaN and lone surrogates are taken, of two equal keys the last one counts."""

from __future__ import annotations

import json
from typing import Any

from modelyard.formats.file import BrokenError
from modelyard.formats.json_text import MOST_VALUES, decode


def read_object(data: bytes) -> dict[str, Any]:
    """A document that is an object. BrokenError for another one, for no JSON at all, and for more than is read."""
    try:
        return decode(data, dict[str, Any])
    except BrokenError as error:
        if error.code == "too-large" or sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
            raise
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            raise error from None
        if not isinstance(found, dict):
            raise
        return found
