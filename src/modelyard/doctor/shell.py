"""Commands as text for the shell of each platform. Nothing here runs any."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable

from modelyard.inventory import Platform
from modelyard.walk.text import shown

ASSIGNED = r"^[[:space:]]*(export[[:space:]]+)?"


def quoted(text: str, platform: Platform) -> str:
    """A word as bash and zsh, or PowerShell, read it, whatever bytes are in it."""
    if platform == "windows":
        return text if re.fullmatch(r"[\w.-]+", text, re.ASCII) else "'" + shown(text).replace("'", "''") + "'"
    if shown(text) == text:
        return shlex.quote(text)
    plain = (chr(each) if 32 <= each < 127 and each not in b"'\\" else f"\\x{each:02x}" for each in os.fsencode(text))
    return "$'" + "".join(plain) + "'"


def words(platform: Platform, *each: str) -> str:
    """A command line of these words."""
    return " ".join(quoted(word, platform) for word in each)


def set_variable(name: str, value: str, platform: Platform) -> str:
    """Gives a variable a value: in this shell, on Windows for the user."""
    if platform == "windows":
        return f"[Environment]::SetEnvironmentVariable('{name}', {quoted(value, platform)}, 'User')"
    return f"export {name}={quoted(value, platform)}"


def unset_variable(name: str, platform: Platform) -> str:
    """Takes a variable away; on macOS also from the programs that are started by a click."""
    if platform == "windows":
        return f"[Environment]::SetEnvironmentVariable('{name}', $null, 'User')"
    return f"unset {name}; launchctl unsetenv {name}" if platform == "macos" else f"unset {name}"


def rename_in_file(file: str, old: str, new: str, platform: Platform) -> str:
    """Gives a variable another name where a file sets it; GNU's and BSD's sed understand it alike."""
    return words(platform, "sed", "-i.bak", "-E", f"s/({ASSIGNED}){old}=/\\1{new}=/", os.path.realpath(file))


def disable_in_file(file: str, name: str, platform: Platform) -> str:
    """Turns the line of a file that sets a variable into a comment."""
    return words(platform, "sed", "-i.bak", "-E", f"s/{ASSIGNED}{name}=/# &/", os.path.realpath(file))


def remove_files(paths: Iterable[str], platform: Platform) -> str:
    """Removes single files by their names."""
    if platform == "windows":
        return "Remove-Item -LiteralPath " + ", ".join(quoted(path, platform) for path in paths)
    return words(platform, "rm", "--", *paths)


def copy_missing(source: str, target: str, platform: Platform) -> str:
    """Copies what the target lacks; overwrites and removes nothing, and keeps links as links."""
    if platform == "windows":
        return words(platform, source, target).join(("robocopy ", " /E /XC /XN /XO"))
    return words(platform, "cp", "-an", f"{source}/.", f"{target}/")
