"""A cluster for the session, with PostgreSQL and Kafka beside it, and connectors in it."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.cluster import NODE_IP, KubeCluster, Space, within
from lab.fleet import CHART, ROOT, ChartFleet, ConnectorFleet, Fleet
from lab.image import Image, build_image
from lab.servers import Kafka, Postgres

OPERATOR = "/usr/bin/pqcdc-operator"
TEST_CONF = "fsync = off\ncheckpoint_timeout = 1h\nmax_wal_size = 4GB"


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> Image:
    archive = request.config.getoption("--image")
    return Image(archive) if archive else build_image()


@pytest.fixture(scope="session")
def kube_cluster(request: pytest.FixtureRequest, image: Image, logs: Path):
    """Entered: all that this process starts from now on is in the cluster's network."""
    with cluster_of(request.config.getoption("--kube-cluster"), logs) as cluster:
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


@pytest.fixture(scope="session")
def kafka(kube_cluster: KubeCluster, state: Path, logs: Path):
    server = Kafka(state / "kafka", host=NODE_IP)
    server.start()
    yield server
    server.stop()
    server.remove(logs / "kafka")


@pytest.fixture(scope="session")
def postgres(kube_cluster: KubeCluster, request: pytest.FixtureRequest, state: Path, logs: Path):
    server = Postgres(state / "postgres", request.config.getoption("--pg-major"), TEST_CONF, NODE_IP)
    server.start()
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
    space = kube_cluster.space("pqcdc-system")
    space.helm(3, "upgrade", "--install", "pqcdc", str(CHART), "--wait", within(120))
    return space


@pytest.fixture
def space(kube_cluster: KubeCluster, scenario):
    """A namespace of the test's own, which ends before its world does."""
    space = kube_cluster.space(f"test-{secrets.token_hex(4)}")
    yield space
    space.remove()


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
