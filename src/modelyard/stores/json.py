"""JSON that tools left on a disk, read into types; whatever is wrong with it comes back as a value."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

T = TypeVar("T")


def parsed(text: bytes | str, kind: type[T]) -> T | ValueError:
    """The document, or why it is none: no JSON, another shape, no UTF-8, or nested beyond reason."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        return ValueError(str(error))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _lenient(text, kind)


def _lenient(text: bytes | str, kind: type[T]) -> T | ValueError:
    """As Python's own module reads it: NaN and Infinity, which Python writes too, are no JSON to others."""
    try:
        return msgspec.convert(json.loads(text), kind)
    except (ValueError, msgspec.MsgspecError) as error:
        return ValueError(str(error))
    except RecursionError:
        return ValueError("nested too deeply")
