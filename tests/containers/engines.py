"""Starts a Docker engine and a Podman service of their own, in a folder of their own, and fills them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BUSYBOX = "/bin/busybox"
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=2000:2000")
"""Podman asks for more than a root without CAP_SYS_RESOURCE may give."""
OPTIONS = (
    "--storage-driver=overlay2", "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false",
    "--ip-masq=false", "--userland-proxy=false", "--exec-opt", "native.cgroupdriver=cgroupfs",
    "--cgroup-parent=/modelyard",
)  # fmt: skip


@dataclass
class Running:
    """An engine that runs: how to command it, where its socket is, and where its bytes lie."""

    command: tuple[str, ...]
    socket: Path
    data: Path
    base: Path
    version: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, **environment: str) -> str:
        """Runs the engine's own command; its output."""
        done = subprocess.run(
            [*self.command, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout.strip()

    def taken(self) -> int:
        """Bytes on the disk, other file systems left out: the merged views of running containers are such."""
        return int(subprocess.check_output(["du", "-sx", "--block-size=1", self.data]).split()[0])

    def folder(self, name: str, **files: int) -> Path:
        """A folder to build from, with files of random bytes."""
        made = self.base / name
        made.mkdir(exist_ok=True)
        for file, size in files.items():
            (made / file).write_bytes(os.urandom(size))
        return made

    def archive(self, name: str, *tag: str, **files: int) -> None:
        """Imports a folder with busybox and these files as an image, without a tag when none is given."""
        made = self.folder(name, **files)
        (made / "bin").mkdir()
        shutil.copy(BUSYBOX, made / "bin" / "busybox")
        packed = self.base / f"{name}.tar"
        subprocess.run(["tar", "-C", made, "-cf", packed, "."], check=True)
        self.run("import", str(packed), *tag)


def needed(*programs: str) -> None:
    """Fails, never skips, without the programs that these tests start."""
    missing = [each for each in programs if not shutil.which(each, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
    if missing:
        pytest.fail(f"{', '.join(missing)} missing; `make engines` installs what these tests start")
    if os.geteuid():
        pytest.fail("engines are started as root")


@contextmanager
def base_of(name: str) -> Iterator[Path]:
    """A folder near the root, since the path of a socket may have 107 letters at most."""
    base = Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        inside = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
        for mounted in sorted((each for each in inside if each.startswith(f"{base}/")), reverse=True):
            subprocess.run(["umount", "-l", mounted], check=False)
        shutil.rmtree(base)


def _answers(running: Running, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        if (
            subprocess.run(
                [*running.command, "version"], env=running.environment, capture_output=True, check=False
            ).returncode
            == 0
        ):
            return
        time.sleep(0.1)
    pytest.fail(f"the engine does not answer:\n{log.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def docker_command() -> str:
    """The command that came with the engine: others may lie before it that cannot build with BuildKit."""
    return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else str(shutil.which("docker"))


@contextmanager
def dockerd() -> Iterator[Running]:
    """A Docker engine with two sockets."""
    needed("dockerd", "containerd", "runc", "docker", "busybox")
    with base_of("docker") as base, started(base, "--data-root", f"{base}/data") as running:
        yield running
        _empty_docker(running)


@contextmanager
def started(base: Path, *where: str) -> Iterator[Running]:
    """A Docker engine in a folder, told where its data are."""
    first, second = base / "docker.sock", base / "second.sock"
    own = ("--exec-root", f"{base}/exec", "--pidfile", f"{base}/pid")
    environment = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        "HOME": str(base),
        "DOCKER_HOST": f"unix://{first}",
    }
    log = base / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["dockerd", "--host", f"unix://{first}", "--host", f"unix://{second}", *where, *own, *OPTIONS],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running = Running((docker_command(),), first, base / "data", base, environment=environment)
    try:
        _answers(running, process, log)
        running.version = running.run("version", "--format", "{{.Server.Version}}")
        yield running
    finally:
        _stop(process)


def _empty_docker(running: Running) -> None:
    """Nothing in the engine but itself."""
    for what, options in (("container", ("rm", "-f", "-v")), ("volume", ("rm", "-f"))):
        names = running.run(what, "ls", "-q", *(("-a",) if what == "container" else ())).split()
        if names:
            running.run(what, *options, *names)
    running.run("image", "prune", "-a", "-f")
    running.run("builder", "prune", "-a", "-f")


def fill_docker(running: Running) -> None:
    """Images that share layers, one without a tag, containers that run and that stopped, volumes and a build cache."""
    _empty_docker(running)
    for name in ("base", "lone", "classic", "kit"):
        shutil.rmtree(running.base / name, ignore_errors=True)
    running.archive("base", "base:1", blob=4_000_000)
    running.archive("lone", blob=1_500_000)
    context = running.folder("classic", a=3_000_000, b=2_000_000)
    (context / "1").write_text(f'FROM base:1\nENV A=1\nWORKDIR /w\nCOPY a /a\nCMD ["{BUSYBOX}", "sleep", "600"]\n')
    (context / "2").write_text("FROM classic:1\nCOPY b /b\n")
    for number in ("1", "2"):
        running.run(
            "build", "-q", "-t", f"classic:{number}", "-f", f"{context}/{number}", str(context), DOCKER_BUILDKIT="0"
        )
    context = running.folder("kit", k=2_500_000)
    script = f'["{BUSYBOX}", "dd", "if=/dev/urandom", "of=/c", "bs=1000000", "count=5"]'
    (context / "Dockerfile").write_text(f"FROM base:1\nCOPY k /k\nWORKDIR /z\nRUN {script}\n")
    running.run("build", "-q", "--network=none", "-t", "kit:1", str(context), DOCKER_BUILDKIT="1")
    _fill_containers(running, "classic:1", "classic:2")


def _fill_containers(running: Running, used: str, stopped: str, *options: str) -> None:
    options = ("--network", "none", *options)
    running.run("run", "-d", "--name", "busy", *options, "-v", "data:/v", "-v", "/nameless", used)
    running.run("exec", "busy", *_writes("/written", 1_100_000))
    running.run("exec", "busy", *_writes("/v/w", 1_200_000))
    running.run("run", "--name", "old", *options, stopped, *_writes("/written", 1_300_000))
    running.run(
        "run", "--name", "gone", *options, "-v", "spare:/v", "-v", "/nameless", used, *_writes("/v/w", 1_400_000)
    )
    running.run("rm", "gone")
    running.run("run", "--name", "gone", *options, "-v", "/nameless", used, *_writes("/nameless/w", 1_600_000))
    running.run("rm", "gone")


def _writes(path: str, size: int) -> tuple[str, ...]:
    return (BUSYBOX, "dd", "if=/dev/urandom", f"of={path}", f"bs={size}", "count=1")


@contextmanager
def podman() -> Iterator[Running]:
    """Podman with a service on a socket."""
    needed("podman", "runc", "conmon", "busybox")
    with base_of("podman") as base:
        where = ("--root", f"{base}/root", "--runroot", f"{base}/run", "--storage-driver", "overlay")
        command = ("podman", *where, "--cgroup-manager", "cgroupfs", "--runtime", "runc")
        environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": str(base)}
        running = Running(command, base / "podman.sock", base / "root", base, environment=environment)
        log = base / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "system", "service", "--time=0", f"unix://{running.socket}"],
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _answers(running, process, log)
            running.version = running.run("version", "--format", "{{.Server.Version}}")
            until = time.monotonic() + 30
            while not running.socket.exists() and time.monotonic() < until:
                time.sleep(0.05)
            yield running
            _empty_podman(running)
        finally:
            _stop(process)


def _empty_podman(running: Running) -> None:
    running.run("rm", "-a", "-f", "-t", "0", "-v")
    running.run("volume", "prune", "-f")
    running.run("rmi", "-a", "-f")


def fill_podman(running: Running) -> None:
    """The same things, made by Podman."""
    _empty_podman(running)
    for name in ("base", "lone", "built"):
        shutil.rmtree(running.base / name, ignore_errors=True)
    running.archive("base", "base:1", blob=4_000_000)
    running.archive("lone", blob=1_500_000)
    context = running.folder("built", a=3_000_000, b=2_000_000)
    (context / "1").write_text(f'FROM localhost/base:1\nCOPY a /a\nCMD ["{BUSYBOX}", "sleep", "600"]\n')
    (context / "2").write_text("FROM localhost/built:1\nCOPY b /b\n")
    (context / "3").write_text("FROM localhost/base:1\nCOPY b /other\n")
    for number in ("1", "2", "3"):
        tag, file = f"built:{number}", f"{context}/{number}"
        running.run("build", "-q", "--network=none", "-t", tag, "-f", file, str(context))
    _fill_containers(running, "built:1", "built:2", *LIMITS)
