"""What Apache Kafka needs: Java, and its jars, which Maven fetches once into the cache folder."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agents.local.errors import LocalKafkaError

KAFKA_VERSION = "4.1.0"
OLDEST_JAVA = 17
"""Apache Kafka 4 brokers run on no older one."""
MAVEN_TIMEOUT_S = 600

# slf4j-simple writes the broker's log to its standard error; its version is the one that Kafka's slf4j-api has.
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>profilestream</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def find_java(environ: Mapping[str, str] = os.environ) -> str:
    """Path of `java`, version 17 or later, from `JAVA_HOME` or `PATH`; LocalKafkaError where there is none."""
    home = environ.get("JAVA_HOME")
    candidate = str(Path(home) / "bin" / "java") if home else "java"
    java = shutil.which(candidate, path=environ.get("PATH", os.defpath))
    if java is None:
        place = f"JAVA_HOME ({home})" if home else "PATH"
        raise LocalKafkaError(
            f"Apache Kafka needs Java {OLDEST_JAVA} or later, and there is no java in {place}. Install one "
            "(Debian: apt-get install default-jre-headless; macOS: brew install openjdk) or set JAVA_HOME."
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if found is None:
        raise LocalKafkaError(f"`{java} -version` did not say its version: {(answer.stderr or answer.stdout).strip()}")
    if int(found[1]) < OLDEST_JAVA:
        raise LocalKafkaError(
            f"Apache Kafka needs Java {OLDEST_JAVA} or later; {java} is version {found[1]}. "
            "Install a newer one or set JAVA_HOME to it."
        )
    return java


def kafka_jars(cache: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Folder with the broker's jars (about 50 MB); fetched by Maven if it is not there yet."""
    jars = cache / f"kafka-{KAFKA_VERSION}"
    with exclusive(cache / "kafka-jars.lock"):
        if not jars.is_dir():
            _fetch(cache, jars, environ)
    return jars


def _fetch(cache: Path, jars: Path, environ: Mapping[str, str]) -> None:
    maven = shutil.which("mvn", path=environ.get("PATH", os.defpath))
    if maven is None:
        raise LocalKafkaError(
            f"Apache Kafka's jars are fetched with Maven, and there is no mvn in PATH. Install it (Debian: apt-get "
            f"install maven; macOS: brew install maven), or put the libs of Apache Kafka {KAFKA_VERSION} into {jars}."
        )
    pom = cache / "kafka-pom.xml"
    pom.write_text(POM)
    partial = cache / f"kafka-{KAFKA_VERSION}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=MAVEN_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise LocalKafkaError(
            f"Maven did not fetch Apache Kafka's jars within {MAVEN_TIMEOUT_S} s. Is its repository reachable?"
        ) from exc
    if answer.returncode or not list(partial.glob(f"kafka_*-{KAFKA_VERSION}.jar")):
        tail = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-15:])
        raise LocalKafkaError(f"Maven could not fetch Apache Kafka's jars. It said:\n{tail}")
    partial.rename(jars)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Waits for, and holds, the lock file: one process at a time in here."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
