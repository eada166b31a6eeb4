"""A cluster for the session, with PostgreSQL and Kafka beside it, and connectors in it.

Several processes share one cluster that is up already (--kube-cluster): each has a PostgreSQL and a Kafka of
its own. Tests that are marked `alone` come last, one at a time."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.cluster import NODE_IP, KubeCluster, Pods, Space, within
from lab.fleet import CHART, ROOT, ChartFleet, ConnectorFleet, Fleet
from lab.image import Image, build_image
from lab.servers import Postgres, ScramKafka

OPERATOR = "/usr/bin/pqcdc-operator"
TEST_CONF = "fsync = off\ncheckpoint_timeout = 1h\nmax_wal_size = 4GB"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=is_alone)


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> Image:
    archive = request.config.getoption("--image")
    return Image(archive) if archive else build_image()


@pytest.fixture(scope="session")
def kube_cluster(request: pytest.FixtureRequest, image: Image, logs: Path):
    """Entered: all that this process starts from now on is in the cluster's network."""
    state = request.config.getoption("--kube-cluster")
    if state is None and hasattr(request.config, "workerinput"):
        pytest.fail("several processes need a cluster that is up: --kube-cluster")
    with cluster_of(state, logs) as cluster:
        cluster.load(image)
        with cluster.entered():
            yield cluster


@contextmanager
def cluster_of(state: Path | None, logs: Path) -> Iterator[KubeCluster]:
    """The one that is up there, else one for the session."""
    if state is not None:
        yield KubeCluster(state)
        return
    cluster = KubeCluster(Path(tempfile.mkdtemp(prefix="pqcdc-cluster.")))
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down(logs / "kube-cluster")


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, kube_cluster: KubeCluster):
    """Nothing else happens on the cluster while a test runs that is marked `alone`."""
    with kube_cluster.locked("turn", shared=not is_alone(request.node)):
        yield


@pytest.fixture(scope="session")
def kafka(kube_cluster: KubeCluster, state: Path, logs: Path):
    server = ScramKafka(state / "kafka", NODE_IP)
    server.start()
    yield server
    server.stop()
    server.remove(logs / "kafka")


@pytest.fixture(scope="session")
def postgres(kube_cluster: KubeCluster, pg_major: str, state: Path, logs: Path):
    server = Postgres(state / "postgres", pg_major, TEST_CONF, NODE_IP)
    server.start()
    server.execute("create role password_required")  # whose members must show one
    yield server
    server.stop()
    server.remove(logs / f"postgres-{server.major}")


@pytest.fixture(scope="session")
def program() -> Path:
    """The workers are pods here."""
    return ROOT / "build/bin/pqcdc"


@pytest.fixture(scope="session")
def operator(kube_cluster: KubeCluster, image: Image) -> Space:
    """The chart as everybody installs it."""
    if OPERATOR not in image.files():
        pytest.skip(f"the image has no {OPERATOR}")
    with kube_cluster.locked("operator"):
        space = kube_cluster.space("pqcdc")
        install(space)
    return space


def install(space: Space) -> None:
    space.helm(3, "upgrade", "--install", "pqcdc", str(CHART), "--wait", within(120))


@pytest.fixture
def operators(operator: Space):
    """Its pods. Whatever the test does to them, the next one finds the operator."""
    yield Pods(operator, "app.kubernetes.io/instance=pqcdc,app.kubernetes.io/component=operator")
    install(operator)


@pytest.fixture
def space(kube_cluster: KubeCluster, scenario):
    """A namespace of the test's own, in which nothing runs any more when its world ends."""
    space = kube_cluster.space(f"test-{secrets.token_hex(4)}")
    yield space
    space.remove()


@pytest.fixture
def neighbour(space: Space) -> None:
    """A Service whose variables would be taken for ours, were they in the pods' environment."""
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "pqcdc"},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "nothing"}},
        }
    )


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture
def chart_fleet(space: Space, line, files: Path) -> ChartFleet:
    return ChartFleet(space, line, files)


@pytest.fixture
def connector(operator: Space, space: Space, line, files: Path) -> ConnectorFleet:
    return ConnectorFleet(space, line, files)


@pytest.fixture(params=["chart", "operator"])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """Both ways."""
    return request.getfixturevalue({"chart": "chart_fleet", "operator": "connector"}[request.param])
