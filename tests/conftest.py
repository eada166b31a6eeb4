"""Servers for the session, a world of its own for each test."""

import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from lab import sanitizers, waiting
from lab.api_faults import ApiFaults
from lab.kubernetes import ApiServer, Namespace
from lab.scenario import Scenario
from lab.servers import Kafka, KafkaCluster, Postgres

pytest_plugins = ["lab.line"]

ROOT = Path(__file__).resolve().parents[1]
# What a server may skip when only its process, never the machine, is killed.
TEST_CONF = "fsync = off\ncheckpoint_timeout = 1h\nmax_wal_size = 4GB\nmax_prepared_transactions = 10"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pg-major", default="16", help="PostgreSQL: 14 to 18, or several of them: 14,18 (16)")
    parser.addoption("--full", action="store_true", help="the counts that the issues name")
    parser.addoption("--program", default=ROOT / "build/bin/pqcdc", type=Path, help="the worker")
    parser.addoption("--kube-cluster", type=Path, help="CLUSTER_STATE of a cluster that is up; it stays so")
    parser.addoption("--image", type=Path, help="an archive of an image, in the place of the one of this tree")
    parser.addoption("--logs", default=ROOT / "build/test-logs", type=Path, help="kept logs")


def pytest_configure(config: pytest.Config) -> None:
    """Asked to end, pytest stops the servers as it does at Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line(
        "markers", "unsanitized(reason): not with a worker that is built with sanitizers, which cannot pass it"
    )
    if worker_of(config).exists():
        waiting.slow_down(sanitizers.slowness(worker_of(config)))


def worker_of(config: pytest.Config) -> Path:
    return config.getoption("--program")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Of several versions each is a test of its own; one process has all those of a version."""
    majors = metafunc.config.getoption("--pg-major").split(",")
    if "pg_major" in metafunc.fixturenames and len(majors) > 1:
        versions = [pytest.param(major, marks=pytest.mark.xdist_group(f"pg{major}")) for major in majors]
        metafunc.parametrize("pg_major", versions, scope="session")


@pytest.fixture(scope="session")
def pg_major(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--pg-major")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not worker_of(config).exists():
        return
    sanitizer = sanitizers.sanitizer_of(worker_of(config))
    if sanitizer is None:
        return
    left_out = [item for item in items if not sanitized(item, sanitizer, config.getoption("--full"))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def sanitized(item: pytest.Item, sanitizer: str, full: bool) -> bool:
    """Whether a worker with that sanitizer shall pass the test: --full lets it pass all that it can."""
    if item.get_closest_marker("unsanitized"):
        return False
    mark = item.get_closest_marker("sanitize")
    return full or mark is None or not mark.args or sanitizer in mark.args


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest) -> Path:
    path = worker_of(request.config)
    assert path.exists(), f"{path} is not built"
    return path


@pytest.fixture(scope="session")
def logs(request: pytest.FixtureRequest) -> Path:
    return request.config.getoption("--logs")


@pytest.fixture(scope="session")
def reports(logs: Path) -> Path:
    directory = logs / "sanitizers"
    sanitizers.listen(directory)
    return directory


@pytest.fixture(autouse=True)
def no_sanitizer_report(reports: Path):
    """Set up first, so that it looks when all of the test's processes have ended."""
    yield
    text = sanitizers.take_reports(reports)
    assert not text, f"a sanitizer reports:\n{text[:20000]}"


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
def cluster(state: Path, logs: Path):
    """Three brokers, for the tests that ask for them."""
    cluster = KafkaCluster(state / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        cluster.remove(logs / "cluster")


@pytest.fixture(scope="session")
def postgres(pg_major: str, state: Path, logs: Path):
    server = Postgres(state / f"postgres-{pg_major}", pg_major, TEST_CONF)
    server.start()
    yield server
    server.stop()
    server.remove(logs / f"postgres-{server.major}")


@pytest.fixture(scope="session")
def api_server(state: Path, logs: Path):
    server = ApiServer(state / "kubernetes")
    try:
        server.start()
        yield server
    finally:
        server.run("kill")
        server.remove(logs / "kubernetes")


@pytest.fixture
def api(api_server: ApiServer):
    """The session's API server; whatever the test does to it, the next one finds it."""
    yield api_server
    api_server.mend()


@pytest.fixture
def namespace(api: ApiServer) -> Namespace:
    """One that nothing is in, and nobody else uses."""
    return api.namespace(f"test-{secrets.token_hex(4)}")


@pytest.fixture
def api_faults(api: ApiServer):
    """What stands between a client and the API server, and can answer in its place."""
    with ApiFaults(api) as faults:
        yield faults


@pytest.fixture
def say(request: pytest.FixtureRequest):
    """Prints past pytest's capture: progress of what takes long. A process of pytest-xdist has no
    terminal, but its stderr is the run's."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    name = request.node.name

    def write(text: str) -> None:
        with capture.global_and_fixture_disabled():
            if hasattr(request.config, "workerinput"):
                sys.__stderr__.write(f"    {name}: {text}\n")
            else:
                print(f"\n    {text}", end="", flush=True)

    return write


@pytest.fixture
def own_postgres(request: pytest.FixtureRequest, pg_major: str, state: Path, logs: Path):
    """own_postgres(major, conf, standby_of) -> a server, started, that serves this test alone: empty,
    or a standby of another one, which must be stopped and has all its replication slots."""
    servers: list[Postgres] = []

    def start(major: str | None = None, conf: str = "", standby_of: Postgres | None = None) -> Postgres:
        directory = own_directory(state, "postgres")
        if standby_of is not None:
            server = standby_of.standby(directory, conf)
        else:
            server = Postgres(directory, major or pg_major, f"{TEST_CONF}\n{conf}")
        servers.append(server)
        server.start()
        return server

    yield start
    for number, server in enumerate(servers, 1):
        server.stop("immediate")
        server.remove(logs / log_name(request) / f"postgres-{number}")


@pytest.fixture
def scenario_on(request: pytest.FixtureRequest, own_postgres, kafka: Kafka, program: Path, logs: Path):
    """scenario_on(server, ...) -> a world on that server. Servers of the test's own outlive it."""
    directory = logs / log_name(request)
    shutil.rmtree(directory, ignore_errors=True)
    counter = request.config.stash.setdefault(COUNTER, [0])
    worlds: list[Scenario] = []

    def make(server: Postgres, **options) -> Scenario:
        counter[0] += 1
        name = f"test_{os.getpid()}_{counter[0]}"
        worlds.append(Scenario(name, server, options.pop("kafka", kafka), program, directory, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def scenario(scenario_on, postgres: Postgres) -> Scenario:
    return scenario_on(postgres)


def own_directory(parent: Path, prefix: str) -> Path:
    directory = Path(tempfile.mkdtemp(prefix=f"{prefix}.", dir=parent))
    directory.chmod(0o755)
    return directory


def log_name(request: pytest.FixtureRequest) -> str:
    """Of the directory that is this test's own: no other's, although they run at the same time."""
    return directory_name(request.node.nodeid)


def directory_name(nodeid: str) -> str:
    return re.sub(r"[^\w+.]+", "-", nodeid).strip("-")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Two tests that shared a directory would each clear the other's."""
    owners: dict[str, str] = {}
    for item in session.items:
        other = owners.setdefault(directory_name(item.nodeid), item.nodeid)
        if other != item.nodeid:
            raise pytest.UsageError(f"{other} and {item.nodeid} would log to the same directory: rename one")


COUNTER = pytest.StashKey[list[int]]()
