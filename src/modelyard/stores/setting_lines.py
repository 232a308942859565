"""One key of a settings file given another value, as text: every other line stays as its owner wrote it."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Sequence

import yaml

SECTION = re.compile(r"\s*\[([^\]]+)\]\s*(?:[#;].*)?$")
MEMBER = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*:\s*')
COMMA = re.compile(r"\s*,?")
STRANGE = "modelyard does not understand it well enough to change it"


def ini_with(text: str, section: str, key: str, value: str) -> str:
    """An INI file in which the key of a section has this value. ValueError where that would change more."""
    lines, at = text.splitlines(), None
    for number, line in enumerate(lines):
        if match := SECTION.match(line):
            if at is not None:
                break
            at = number if match[1] == section else None
        elif at is not None and re.match(rf"{re.escape(key)}\s*[=:]", line, re.IGNORECASE):
            end = _behind(lines, number)
            return _checked_ini(text, _joined([*lines[:number], f"{key} = {value}", *lines[end:]]), section, key, value)
    if at is None:
        gap = [""] if lines and lines[-1].strip() else []
        return _checked_ini(text, _joined([*lines, *gap, f"[{section}]", f"{key} = {value}"]), section, key, value)
    return _checked_ini(text, _joined([*lines[: at + 1], f"{key} = {value}", *lines[at + 1 :]]), section, key, value)


def _behind(lines: Sequence[str], number: int) -> int:
    """The line behind a value that may go on in indented lines."""
    end = number + 1
    while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
        end += 1
    return end


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _checked_ini(old: str, new: str, section: str, key: str, value: str) -> str:
    try:
        before, after = _ini(old), _ini(new)
    except configparser.Error as error:
        raise ValueError(STRANGE) from error
    before.setdefault(section, {})[key.lower()] = value
    if before != after:
        raise ValueError(STRANGE)
    return new


def _ini(text: str) -> dict[str, dict[str, str | None]]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def toml_with(text: str, key: str, value: str) -> str:
    """A TOML file whose top-level key has this value. ValueError where that would change more."""
    lines = text.splitlines()
    new = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    table = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    at = next((number for number in range(table) if re.match(rf'\s*"?{re.escape(key)}"?\s*=', lines[number])), None)
    changed = [*lines[:at], new, *lines[at + 1 :]] if at is not None else [new, *lines]
    try:
        before, after = tomllib.loads(text), tomllib.loads(_joined(changed))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(STRANGE) from error
    if {**before, key: value} != after:
        raise ValueError(STRANGE)
    return _joined(changed)


def yaml_with(text: str, key: str, value: object) -> str:
    """A YAML file whose top-level key has this value, a text or a list or map of them. ValueError as above."""
    lines = text.splitlines()
    new = yaml.safe_dump({key: value}, allow_unicode=True, sort_keys=False).splitlines()
    at = next(
        (number for number, line in enumerate(lines) if re.match(rf"['\"]?{re.escape(key)}['\"]?\s*:", line)), None
    )
    if at is None:
        changed = [*lines, *new]
    else:
        end = at + 1
        while end < len(lines) and (not lines[end].strip() or lines[end][0] in " -"):
            end += 1
        changed = [*lines[:at], *new, *lines[end:]]
    try:
        before, after = yaml.safe_load(text) or {}, yaml.safe_load(_joined(changed))
    except yaml.YAMLError as error:
        raise ValueError(STRANGE) from error
    if not isinstance(before, dict) or {**before, key: value} != after:
        raise ValueError(STRANGE)
    return _joined(changed)


def json_with(text: str, key: str, value: str) -> str:
    """A JSON file whose top-level key has this value, all else as it stands. ValueError where it is no object."""
    before = text if text.strip() else "{}\n"
    try:
        found = json.loads(before)
    except ValueError as error:
        raise ValueError(STRANGE) from error
    if not isinstance(found, dict):
        raise ValueError(STRANGE)
    changed = _with_member(before, key, json.dumps(value, ensure_ascii=False))
    if json.loads(changed) != {**found, key: value}:  # the same key twice
        raise ValueError(STRANGE)
    return changed


def _with_member(text: str, key: str, value: str) -> str:
    """A JSON object in which this value stands behind its key: in place of the old one, else as the last member."""
    decoder, brace = json.JSONDecoder(), text.index("{") + 1
    at = end = brace
    while member := MEMBER.match(text, at):
        _, end = decoder.raw_decode(text, member.end())
        if json.loads(member[1]) == key:
            return text[: member.end()] + value + text[end:]
        at = end + len(COMMA.match(text, end)[0])  # type: ignore[index]
    new = f"{json.dumps(key)}: {value}"
    if end == brace:
        return f"{text[:brace]}\n  {new}\n{text[brace:].lstrip()}"
    behind = text[brace:]
    gap = behind[: len(behind) - len(behind.lstrip())]
    return f"{text[:end]},{gap or ' '}{new}{text[end:]}"


def json_keys(text: object) -> list[str]:
    """The top-level keys of a JSON object, none where it is none."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []


def unit_with(text: str, name: str, value: str) -> str:
    """A drop-in of a systemd unit that sets a variable of its service (systemd.exec(5))."""
    lines = [line for line in text.splitlines() if not re.match(rf"\s*Environment=.*\b{re.escape(name)}=", line)]
    if len(text.splitlines()) - len(lines) > 1 or any(re.search(rf"\b{re.escape(name)}=", line) for line in lines):
        raise ValueError(STRANGE)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    new = f'Environment="{name}={escaped}"'
    at = next((number for number, line in enumerate(lines) if line.strip() == "[Service]"), None)
    if at is None:
        return _joined([*lines, *([""] if lines else []), "[Service]", new])
    return _joined([*lines[: at + 1], new, *lines[at + 1 :]])


def shell_with(text: str, name: str, line: str) -> str:
    """A start file of a shell in which this line sets a variable: in place of the last that did, else at the end."""
    lines = text.splitlines()
    told = [number for number, each in enumerate(lines) if re.match(rf"\s*(export\s+|set\s+-gx\s+)?{name}[=\s]", each)]
    if told:
        return _joined([*lines[: told[-1]], line, *lines[told[-1] + 1 :]])
    return _joined([*lines, line])


def new_lines(old: str, new: str) -> list[str]:
    """The lines of the new text that the old one does not have."""
    before = old.splitlines()
    return [line for line in new.splitlines() if line.strip() and line not in before]


Edit = Callable[[str, str], str]
"""The text of a settings file and the new place: the new text."""
