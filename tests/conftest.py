"""Servers for the session, a world of its own for each test."""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from lab.scenario import Scenario
from lab.servers import Kafka, Postgres

ROOT = Path(__file__).resolve().parents[1]
# What a server may skip when only its process, never the machine, is killed.
TEST_CONF = "fsync = off\ncheckpoint_timeout = 1h\nmax_wal_size = 4GB"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pg-major", default="16", help="PostgreSQL: 14 to 18 (16)")
    parser.addoption("--full", action="store_true", help="the counts that the issues name")
    parser.addoption("--program", default=ROOT / "build/bin/pqcdc", type=Path, help="the worker")
    parser.addoption("--logs", default=ROOT / "build/test-logs", type=Path, help="kept logs")


def pytest_configure(config: pytest.Config) -> None:
    """Asked to end, pytest stops the servers as it does at Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest) -> Path:
    path = request.config.getoption("--program")
    assert path.exists(), f"{path} is not built"
    return path


@pytest.fixture(scope="session")
def logs(request: pytest.FixtureRequest) -> Path:
    return request.config.getoption("--logs")


@pytest.fixture(scope="session")
def state():
    """A directory for servers, which may run as another user: pytest's own are closed to it."""
    directory = Path(tempfile.mkdtemp(prefix="pqcdc-test."))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(state: Path, logs: Path):
    server = Kafka(state / "kafka")
    server.start()
    yield server
    server.stop()
    server.remove(logs / "kafka")


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, state: Path, logs: Path):
    server = Postgres(state / "postgres", request.config.getoption("--pg-major"), TEST_CONF)
    server.start()
    yield server
    server.stop()
    server.remove(logs / f"postgres-{server.major}")


@pytest.fixture
def say(pytestconfig: pytest.Config):
    """Prints past pytest's capture: progress of what takes long."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def write(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n    {text}", end="", flush=True)

    return write


@pytest.fixture
def scenario(request: pytest.FixtureRequest, postgres: Postgres, kafka: Kafka, program: Path, logs: Path):
    directory = logs / re.sub(r"\W+", "-", request.node.nodeid).strip("-")
    shutil.rmtree(directory, ignore_errors=True)
    counter = request.config.stash.setdefault(COUNTER, [0])
    counter[0] += 1
    name = f"test_{os.getpid()}_{counter[0]}"
    world = Scenario(name, postgres, kafka, program, directory)
    yield world
    world.close()


COUNTER = pytest.StashKey[list[int]]()
