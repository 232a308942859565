"""JSON that tools left on a disk, read into types; whatever is wrong with it comes back as a value."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def parsed(text: bytes | str, kind: type[T]) -> T | ValueError:
    """The document, or why it is none: no JSON, another shape, no UTF-8, or nested beyond reason."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return ValueError(str(error))
    except RecursionError:
        return ValueError("nested too deeply")
