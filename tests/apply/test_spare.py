"""Journals that lie in memory because the home was full: everybody may write there, so only one's own are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from apply.work import plan_for
from modelyard.api.reclaim import Yard
from modelyard.apply import journal as journals
from modelyard.apply import rooms as places
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Record
from modelyard.plan import Path as Place


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Memory that everybody may write into."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory").chmod(0o1777)
    return {"XDG_RUNTIME_DIR": str(tmp_path / "memory")}


def _spare(env: dict[str, str], home: Path) -> Path:
    _, state = places._folders(env, home, "linux")
    return Path(os.fsdecode(places._spare(env, state)))


def _planted(folder: Path, victim: Path, home: Path) -> None:
    """A journal that says that `victim` lies in the trash and was being purged."""
    folder.mkdir(parents=True, mode=0o700)
    plan = plan_for([victim], home)
    with journals.begin(Disk(), bytes(folder / "evil.jsonl"), plan) as journal:
        place = Place.of(bytes(victim))
        journal.write([Record("intent", 0, place=place), Record("done", 0), Record("purging", 0)])


@pytest.mark.parametrize("how", ("writable", "in a writable folder", "of another user", "a link"))
def test_a_journal_that_somebody_else_could_have_written_is_not_read(
    env: dict[str, str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    precious = home / "thesis"
    precious.write_text("the only copy")
    spare = _spare(env, home)
    _planted(spare, precious, home)
    if how == "writable":
        spare.chmod(0o777)
    elif how == "in a writable folder":
        spare.parent.chmod(0o777)
    elif how == "a link":
        spare.parent.rename(tmp_path / "elsewhere")
        spare.parent.symlink_to(tmp_path / "elsewhere")
    else:
        monkeypatch.setattr("os.getuid", lambda: os.geteuid() + 1)
    with Yard(env, home, "linux") as yard:
        assert yard.ledgers() == []
    assert precious.read_text() == "the only copy"


def test_ones_own_journal_in_memory_is_read(env: dict[str, str], home: Path) -> None:
    thing = home / "thing"
    thing.write_text("in the trash")
    _planted(_spare(env, home), thing, home)
    with Yard(env, home, "linux") as yard:
        assert len(yard.ledgers()) == 1
    assert not thing.exists()


def test_a_journal_in_memory_belongs_to_one_home(env: dict[str, str], home: Path, tmp_path: Path) -> None:
    thing = home / "thing"
    thing.write_text("in the trash")
    _planted(_spare(env, home), thing, home)
    (tmp_path / "another").mkdir()
    with Yard(env, tmp_path / "another", "linux") as yard:
        assert yard.ledgers() == []
    assert thing.exists()
