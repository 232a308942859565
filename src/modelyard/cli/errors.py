"""What went wrong, why, and the next command to type; and the exit code for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from modelyard.walk.text import shown

ELSEWHERE = "run again; if it stays, `modelyard --help` lists the options that choose other folders"
OK, ERROR, USAGE, PARTLY, REFUSED, COMPLAINTS, LOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 75, 130


class HelpfulError(Exception):
    """An error with a sentence for the person and the next command to type."""

    def __init__(self, message: str, hint: str, code: int = ERROR) -> None:
        super().__init__(message)
        self.hint, self.code = hint, code


def told(error: OSError) -> str:
    """What the system says, with the path where it names one and no descriptor."""
    place = f"{shown(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{place}{error.strerror or error}"


def _complain(message: str, hint: str = "") -> None:
    print(f"modelyard: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def guarded(run: Callable[[], object]) -> int:
    """Runs a command; its exit code."""
    try:
        code = run()
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        _complain(error.format_message())
        return ERROR
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted; nothing was changed")
        return INTERRUPTED
    except HelpfulError as error:
        _complain(str(error), error.hint)
        return error.code
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        _complain(told(error), ELSEWHERE)
        return ERROR
