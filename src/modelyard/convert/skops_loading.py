"""A `.skops` file by skops itself, with nothing trusted beyond what skops trusts. Needs skops."""

from __future__ import annotations

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from modelyard.formats.file import BrokenError

FAILURES = (ValueError, TypeError, AttributeError, LookupError, ImportError, OSError, RuntimeError)
"""What skops raises for files that are damaged or were made by other versions."""


def loaded(path: str) -> object:
    """The object in a file. BrokenError where skops' audit does not pass, or where it cannot be made."""
    try:
        return skops.io.load(path, trusted=[])
    except UntrustedTypesFoundException as error:
        raise BrokenError(
            f"does not pass the audit of skops: {str(error).splitlines()[0][:200]}", "dangerous"
        ) from error
    except FAILURES as error:
        raise BrokenError(f"cannot be loaded by skops: {str(error)[:200]}", "damaged") from error
