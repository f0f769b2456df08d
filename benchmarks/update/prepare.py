"""What the peers need: a virtual environment of their own, and the Kafka Streams peer compiled. Both in the cache."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from agents.local.cache import cache_folder
from agents.local.errors import LocalKafkaError
from agents.local.java import exclusive, find_java

PEERS = Path(__file__).resolve().parent.parent / "peers"
REQUIREMENTS = PEERS / "requirements.txt"
POM = PEERS / "kstreams" / "pom.xml"
SOURCES = (PEERS / "kstreams" / "UpdatePeer.java", PEERS / "kstreams" / "PipelinePeer.java")
TIMEOUT_S = 600
HINT = "python -m benchmarks.update --prepare"


class PeerMissingError(Exception):
    """A peer cannot run here; the text says what it lacks."""


def _folder(kind: str, *sources: Path) -> Path:
    """Where what is made of these files belongs: other files, another folder."""
    content = b"".join(path.read_bytes() for path in sources) + sys.version.encode()
    return cache_folder() / f"peers-{kind}-{hashlib.sha256(content).hexdigest()[:12]}"


def peers_python() -> Path:
    """Python of the peers' environment. Raises `PeerMissingError` if it was not made."""
    python = _folder("python", REQUIREMENTS) / "bin" / "python"
    if not python.exists():
        raise PeerMissingError(f"its environment was not made ({HINT})")
    return python


def kstreams_java() -> list[str]:
    """Java with the class path of the Kafka Streams peers. Raises `PeerMissingError`."""
    classes = _folder("kstreams", POM, *SOURCES)
    if not classes.exists():
        raise PeerMissingError(f"it was not compiled ({HINT})")
    return [_java(), "-cp", os.pathsep.join([str(classes), f"{classes}/*"])]


def _java() -> str:
    try:
        return find_java()
    except LocalKafkaError as exc:
        raise PeerMissingError(str(exc)) from exc


def _run(*command: str | Path) -> None:
    """Run a tool. Raises `PeerMissingError` with the end of what it said."""
    program = shutil.which(command[0])
    if program is None:
        raise PeerMissingError(f"there is no {command[0]} in PATH")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise PeerMissingError(f"{command[0]} did not end within {TIMEOUT_S} s") from exc
    if done.returncode:
        raise PeerMissingError("\n".join((done.stdout + done.stderr).strip().splitlines()[-15:]))


def _make_python(folder: Path) -> None:
    _run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    _run(*pip, "install", "-q", "--require-hashes", "--no-deps", "-r", REQUIREMENTS)


def _make_kstreams(folder: Path) -> None:
    _run("mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", f"-DoutputDirectory={folder}")
    _run(Path(_java()).with_name("javac"), "-cp", f"{folder}/*", "-d", folder, *SOURCES)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    """Make a folder that is whole or not there."""
    with exclusive(folder.with_suffix(".lock")):
        if folder.exists():
            return
        try:
            make(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def prepare() -> dict[str, str]:
    """Make what is missing; what could not be made, and why."""
    failed = {}
    for name, folder, make in (
        ("Python peers", _folder("python", REQUIREMENTS), _make_python),
        ("Kafka Streams", _folder("kstreams", POM, *SOURCES), _make_kstreams),
    ):
        try:
            _make(folder, make)
        except PeerMissingError as exc:
            failed[name] = str(exc)
    return failed


def versions() -> dict[str, str]:
    """Versions of the peers that have an environment of their own."""
    pinned = re.findall(r"^(bytewax|quixstreams)==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    pattern = r"<artifactId>(kafka-streams)</artifactId><version>(.*?)</version>"
    return dict(pinned + re.findall(pattern, POM.read_text()))
