"""Plans and their making against an engine, two hours later, so that what was made just now is old enough."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from containers import surveys
from containers.engines import BUSYBOX, Running
from modelyard import api
from modelyard.api import planning, reclaim
from modelyard.apply.journal import Ledger
from modelyard.plan import Plan
from modelyard.policies.clean import Wish
from modelyard.units import SECOND

LATER = 7200 * SECOND


def plan(home: Path, variable: str, socket: Path, *include: str, names: Sequence[str] = ()) -> Plan:
    """What `clean` would do in two hours."""
    env = {variable: f"unix://{socket}"}
    found = surveys.look(home, **env)
    everyone = api.everyone(found, env, home, "linux", system=False)
    wish = Wish(tuple(names), unproven=include)
    return planning.plan_clean(found, everyone, wish, time.time_ns() + LATER)


def yard(home: Path) -> reclaim.Yard:
    """The journals of this home."""
    return reclaim.Yard({}, home, "linux")


def make(home: Path, wanted: Plan) -> Ledger:
    """Makes a plan; its journal."""
    with yard(home) as opened:
        opened.apply(wanted)
    return journal(home, wanted)


def journal(home: Path, wanted: Plan) -> Ledger:
    """The journal of a plan as it is on the disk."""
    return next(each for each in yard(home).ledgers() if isinstance(each, Ledger) and each.plan.id == wanted.id)


def untagged(engine: Running, name: str, size: int = 700_000) -> str:
    """Makes an image without a tag; its id."""
    shutil.rmtree(engine.base / name, ignore_errors=True)
    made = engine.folder(name, blob=size)
    (made / "bin").mkdir()
    shutil.copy(BUSYBOX, made / "bin" / "busybox")
    packed = engine.base / f"{name}.tar"
    subprocess.run(["tar", "-C", made, "-cf", packed, "."], check=True)
    return engine.run("import", str(packed)).splitlines()[-1].removeprefix("sha256:")


def has(engine: Running, image: str) -> bool:
    """Whether the engine has the image."""
    return image in engine.run("image", "ls", "-a", "-q", "--no-trunc").replace("sha256:", "").split()


def wanted(found: api.Survey, home: Path, wish: Wish) -> Plan:
    """A plan for this wish, of a survey that was made already."""
    everyone = api.everyone(found, {}, home, "linux", system=False)
    return planning.plan_clean(found, everyone, wish, time.time_ns() + LATER)
