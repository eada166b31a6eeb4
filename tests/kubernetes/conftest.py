"""Replicas that lead by a Lease, each in a network of its own."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.api_faults import ApiFaults
from lab.checker import Verdicts
from lab.kubernetes import ApiServer, Lease, LeaseHistory, Namespace, ServiceAccount, worker_rules
from lab.line import Line
from lab.operator import Operator, Pods, Shop, operator_rules
from lab.replica import Replica
from lab.servers import free_port
from lab.waiting import wait_until
from lab.worker import Worker

LEASE = "orders"
CRD = Path(__file__).parents[2] / "crds/connectors.pqcdc.io.yaml"


@pytest.fixture
def lease(namespace: Namespace) -> Lease:
    """That of the replicas."""
    return namespace.lease(LEASE)


@pytest.fixture
def account(namespace: Namespace) -> ServiceAccount:
    """That of the replicas: it may do what the chart lets it do."""
    return namespace.service_account("worker", worker_rules(LEASE))


@pytest.fixture
def brief() -> dict:
    """Of an election: a Lease whose end can be waited for."""
    return {"leaseDuration": "4s", "renewDeadline": "3s", "retryPeriod": "500ms"}


class Crew:
    """The replicas of one line."""

    def __init__(self, line: Line, account: ServiceAccount, lease: Lease, directory: Path):
        self.line = line
        self.lease = lease
        self.replicas: list[Replica] = []
        self._account = account
        self._directory = directory

    def make(self, faults: ApiFaults | None = None, in_cluster: bool = True) -> Replica:
        """One that the caller starts. faults: what stands between it and the API server."""
        directory = self._directory / f"replica-{len(self.replicas) + 1}"
        replica = Replica(self.line.scenario, self._account, LEASE, directory, faults, in_cluster)
        self.replicas.append(replica)
        return replica

    def start(
        self,
        faults: ApiFaults | None = None,
        in_cluster: bool = True,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        **changes: dict,
    ) -> Replica:
        """One that was started; the changes are sections of its configuration."""
        replica = self.make(faults, in_cluster)
        replica.start(self.line.config(), environment=environment, prefix=prefix, **changes)
        return replica

    def leader(self, *arguments, **keywords) -> Replica:
        replica = self.start(*arguments, **keywords)
        replica.worker.wait_streaming()
        return replica

    def standby(self, *arguments, **keywords) -> Replica:
        replica = self.start(*arguments, **keywords)
        self.wait_standby(replica)
        return replica

    def pair(self, *arguments, **keywords) -> tuple[Replica, Replica]:
        """One leads, and one is ready to."""
        return self.leader(*arguments, **keywords), self.standby(*arguments, **keywords)

    def wait_standby(self, replica: Replica, timeout: float = 30) -> None:
        worker = replica.worker
        worker.wait_state("standby", timeout)
        worker.wait(lambda: worker.get("/readyz")[0] == 200, "it is ready")

    def wait_one_streams(self, timeout: float = 60) -> Replica:
        """One of all, which has the Lease and the slot; the others are standby."""

        def one() -> Replica | None:
            states = {replica: replica.worker.status_if_answered() or {} for replica in self.replicas}
            leaders = [replica for replica, status in states.items() if status.get("state") == "streaming"]
            idle = sum(status.get("state") == "standby" for status in states.values())
            if len(leaders) != 1 or idle != len(states) - 1:
                return None
            identity = states[leaders[0]]["lease"]["identity"]
            has_both = self.lease.holder == identity and self.reader() == application(identity)
            return leaders[0] if has_both else None

        return wait_until(one, "one streams, the others stand by", timeout)

    def reader(self) -> str | None:
        """Whose session reads the slot: its application_name."""
        with self.line.scenario.postgres.connect() as connection:
            row = connection.execute(
                "select application_name from pg_replication_slots join pg_stat_activity on pid = active_pid"
                " where slot_name = %s",
                (self.line.scenario.slot,),
            ).fetchone()
        return row and row[0]

    @contextmanager
    def undisturbed(self, leader: Replica) -> Iterator[LeaseHistory]:
        """Whatever happens in there, nobody else holds the Lease for a moment, and the stream goes on."""
        identity, starts, pid = identity_of(leader.worker), streams(leader.worker), self._walsender()
        assert pid is not None, "nobody streams: this proves nothing"
        with self.lease.recorded() as history:
            yield history
            assert set(history.holders) <= {identity}, "somebody else held the Lease"
            assert self.lease.holder == identity
        assert self._walsender() == pid, "it is another stream"
        assert streams(leader.worker) == starts

    def _walsender(self) -> int | None:
        return self.line.scenario.slot_row().get("active_pid")

    def close(self) -> None:
        for replica in self.replicas:
            replica.close()


def identity_of(worker: Worker) -> str:
    return worker.status()["lease"]["identity"]


def application(identity: str) -> str:
    """The name of its sessions."""
    return f"pqcdc:{identity.rpartition('_')[2]}"


def streams(worker: Worker) -> float:
    """That it has started."""
    return worker.metrics()["pqcdc_stream_starts_total"]


@pytest.fixture
def crew_on(account: ServiceAccount, lease: Lease, tmp_path: Path):
    """crew_on(line) -> the replicas of that line. Ask for it behind what makes the line."""
    crews: list[Crew] = []

    def make(line: Line) -> Crew:
        crews.append(Crew(line, account, lease, tmp_path))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()


@pytest.fixture
def crew(line: Line, crew_on) -> Crew:
    return crew_on(line)


@pytest.fixture
def acquit_returned(say):
    """acquit_returned(line): as acquit(), where a writer came back that could not know that another had
    gone on: keys that end with an old event of its are counted and said, as at-least-once allows."""

    def judge(line: Line) -> Verdicts:
        verdicts = line.verdicts()
        say(str(verdicts))
        say(f"{len(verdicts.stale)} keys end with an old event")
        assert verdicts.loss_free and verdicts.ordered, str(verdicts)
        assert verdicts.changes > 0, "nothing was written: this proves nothing"
        return verdicts

    return judge


@pytest.fixture(scope="session")
def crd(api_server: ApiServer) -> dict:
    """The definition of Connectors as the server has it, which serves them."""
    admin, path = api_server.admin, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = CRD.name.removesuffix(".yaml")
    if admin.find(f"{path}/{name}") is None:
        admin.post(path, CRD.read_text(), "application/yaml")

    def served() -> dict | None:
        definition = admin.get(f"{path}/{name}")
        rows = definition.get("status", {}).get("conditions") or []
        conditions = {row["type"]: row["status"] for row in rows}
        listed = admin.call("GET", "/apis/pqcdc.io/v1alpha1/connectors")  # 429 for a moment
        return definition if conditions.get("Established") == "True" and listed.status == 200 else None

    return wait_until(served, "connectors.pqcdc.io is served")


# The operator


@pytest.fixture(scope="session")
def operator_program(program: Path) -> Path:
    path = program.with_name("pqcdc-operator")
    assert path.exists(), f"{path} is not built"
    return path


@pytest.fixture
def shop(crd: dict, namespace: Namespace) -> Shop:
    """Connectors in a namespace of their own."""
    return Shop(namespace)


class Operators:
    """Those of one namespace, with the rights that the chart gives and no others."""

    def __init__(self, program: Path, namespace: Namespace, directory: Path):
        self._program = program
        self._namespace = namespace
        self._directory = directory
        self._operators: list[Operator] = []
        self.account = namespace.service_account("operator", operator_rules())

    def make(self, *arguments: str, faults: ApiFaults | None = None, elect: bool = False) -> Operator:
        """One that the caller starts. faults: what stands between it and the API server."""
        name = f"operator-{len(self._operators) + 1}"
        directory = self._directory / name
        mount = self.account.mount(directory / "account")
        kubeconfig = self.account.kubeconfig(directory / "kubeconfig", mount, faults and faults.port)
        operator = Operator(
            self._program,
            directory,
            kubeconfig,
            [self._namespace.name],
            [f"--leader-elect={str(elect).lower()}", "--status-interval=1s", *arguments],
        )
        self._operators.append(operator)
        return operator

    def start(self, *arguments: str, **keywords) -> Operator:
        """One that leads."""
        operator = self.make(*arguments, **keywords)
        operator.start()
        operator.wait_leads()
        return operator

    def close(self) -> None:
        for operator in self._operators:
            operator.close()


@pytest.fixture
def operators(operator_program: Path, namespace: Namespace, logs: Path, request: pytest.FixtureRequest):
    directory = logs / f"operator-{request.node.name}"
    shutil.rmtree(directory, ignore_errors=True)
    operators = Operators(operator_program, namespace, directory)
    yield operators
    operators.close()


@pytest.fixture
def worker_port() -> int:
    return free_port()


@pytest.fixture
def pods_of(shop, worker_port):
    """pods_of(connector) -> its pods, which answer until the test is over."""
    made: list[Pods] = []

    def make(connector: str) -> Pods:
        made.append(Pods(shop, connector, worker_port))
        return made[-1]

    yield make
    for pods in made:
        pods.__exit__()
