"""Settings files keep every line that is not about the place, and what is not understood is left alone."""

from __future__ import annotations

import configparser
import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelyard.stores.setting_lines import ini_with, json_with, shell_with, toml_with, unit_with, yaml_with

PLACE = "/mnt/big disk/ü"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", f"[global]\ncache-dir = {PLACE}\n"),
        ("# mine\n[install]\nuser = yes\n", f"# mine\n[install]\nuser = yes\n\n[global]\ncache-dir = {PLACE}\n"),
        ("[global]\ntimeout=6\nCache-Dir: /old\n[x]\na=1", f"[global]\ntimeout=6\ncache-dir = {PLACE}\n[x]\na=1\n"),
        ("[global]\ncache-dir =\n   /old\nb=2\n", f"[global]\ncache-dir = {PLACE}\nb=2\n"),
    ],
)
def test_ini(old: str, new: str) -> None:
    assert ini_with(old, "global", "cache-dir", PLACE) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", f'cache-dir = "{PLACE}"\n'),
        ("# mine\n[pip]\nx = 1\n", f'cache-dir = "{PLACE}"\n# mine\n[pip]\nx = 1\n'),
        ("a = 1\ncache-dir = '/old'\n[pip]\ncache-dir = 2\n", f'a = 1\ncache-dir = "{PLACE}"\n[pip]\ncache-dir = 2\n'),
    ],
)
def test_toml(old: str, new: str) -> None:
    assert toml_with(old, "cache-dir", PLACE) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", f"pkgs_dirs:\n- {PLACE}\n"),
        ("a:\n  - b\npkgs_dirs:\n  - /old\n# end\nc: no\n", f"a:\n  - b\npkgs_dirs:\n- {PLACE}\n# end\nc: no\n"),
        ("pkgs_dirs: [/old]\nx: 1\n", f"pkgs_dirs:\n- {PLACE}\nx: 1\n"),
    ],
)
def test_yaml(old: str, new: str) -> None:
    assert yaml_with(old, "pkgs_dirs", [PLACE]) == new


def test_json_stands_as_its_owner_wrote_it() -> None:
    odd = '{ "a": [1,  2],\n\t"k" :"old", "b": {"k": 1e3} }\n'
    assert json_with(odd, "k", PLACE) == odd.replace("old", PLACE)
    assert json_with('{"a": 1}', "k", "v") == '{"a": 1, "k": "v"}'
    assert json_with('{\n\t"a": [\n\t1]\n}\n', "k", "v") == '{\n\t"a": [\n\t1],\n\t"k": "v"\n}\n'
    assert json_with("", "k", "v") == json_with(" {}\n", "k", "v").strip() + "\n" == '{\n  "k": "v"\n}\n'


def test_json_units_and_shells() -> None:
    assert json_with('{\n    "b": 1,\n    "a": "x"\n}', "a", PLACE) == f'{{\n    "b": 1,\n    "a": "{PLACE}"\n}}'
    assert unit_with("", "M", "/a b%") == '[Service]\nEnvironment="M=/a b%%"\n'
    assert (
        unit_with('[Service]\nUser=x\nEnvironment="M=/old"\n', "M", "/n") == '[Service]\nEnvironment="M=/n"\nUser=x\n'
    )
    assert shell_with("export A=1\nalias x=y\n", "A", "export A=2") == "export A=2\nalias x=y\n"
    assert shell_with("AB=1\n", "A", "export A=2") == "AB=1\nexport A=2\n"


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda text: ini_with(text, "global", "k", "v"), "no section\n"),
        (lambda text: toml_with(text, "k", "v"), "= nothing"),
        (lambda text: toml_with(text, "k", "v"), 's = """\nk = 1\n"""\n'),
        (lambda text: yaml_with(text, "k", "v"), "- a\n- b\n"),
        (lambda text: yaml_with(text, "k", "v"), "a: [\n"),
        (lambda text: yaml_with(text, "k", "v"), "s: |\n  x\nk: &a {b: 1}\nc: *a\n"),
        (lambda text: json_with(text, "k", "v"), "[]"),
        (lambda text: json_with(text, "k", "v"), "{ // comment\n}"),
        (lambda text: json_with(text, "k", "v"), '{"k": 1, "k": 2}'),
        (lambda text: unit_with(text, "K", "v"), "Environment=K=1\nEnvironment=K=2\n"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_left_alone(act: object, text: str) -> None:
    with pytest.raises(ValueError, match="does not understand"):
        act(text)  # type: ignore[operator]


WORDS = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=8)
PLACES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1).map(lambda text: f"/{text}")


@given(st.dictionaries(WORDS, WORDS), PLACES)
def test_whatever_else_is_in_a_file_stays(others: dict[str, str], place: str) -> None:
    others.pop("cache-dir", None)
    toml = "".join(f'"{key}" = "{value}"\n' for key, value in others.items())
    assert tomllib.loads(toml_with(toml, "cache-dir", place)) == {**others, "cache-dir": place}
    assert yaml.safe_load(yaml_with(yaml.safe_dump(others) if others else "", "cache-dir", place)) == {
        **others, "cache-dir": place,
    }  # fmt: skip
    assert json.loads(json_with(json.dumps(others), "cache-dir", place)) == {**others, "cache-dir": place}
    ini = "[global]\n" + "".join(f"{key} = {value}\n" for key, value in others.items())
    try:
        changed = ini_with(ini, "global", "cache-dir", place)
    except ValueError:
        return
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(changed)
    assert dict(parser["global"]) == {**others, "cache-dir": place}
