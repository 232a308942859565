"""A `.skops` file by skops itself, with nothing trusted beyond what skops trusts and our policy vets. Needs skops."""

from __future__ import annotations

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from modelyard.formats.file import BrokenError
from modelyard.safety.policy import Vetted, lookup

FAILURES = (ValueError, TypeError, AttributeError, LookupError, ImportError, OSError, RuntimeError)
"""What skops raises for files that are damaged or were made by other versions."""


def loaded(path: str) -> object:
    """The object in a file. BrokenError where skops' audit does not pass, or where it cannot be made."""
    try:
        return skops.io.load(path, trusted=[each for each in skops.io.get_untrusted_types(file=path) if vetted(each)])
    except UntrustedTypesFoundException as error:
        raise BrokenError(
            f"does not pass the audit of skops: {str(error).splitlines()[0][:200]}", "dangerous"
        ) from error
    except FAILURES as error:
        raise BrokenError(f"cannot be loaded by skops: {str(error)[:200]}", "damaged") from error


def vetted(name: str) -> bool:
    """Whether our policy lets objects of a class be made and be given a state, whatever that is.

    What may only be called by a rule for its arguments is not among them: skops looks at names alone.
    """
    module, _, own = name.rpartition(".")
    found = lookup(module, own)
    return isinstance(found, Vetted) and "new" in found.uses and not found.guarded
