"""A replica: a worker that leads by a Lease, in a network of its own whose ways out can fail one by one.

    with Replica(scenario, account, "orders", directory) as replica:
        replica.start(config)
        replica.links.kafka.stall()         # connections are accepted and nobody answers
        replica.links.api.cut()             # packets are lost and nobody is told
        replica.links.postgres.delay(0.2)
        replica.links.heal()
        replica.worker.kill()
        replica.worker.start()
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from lab.api_faults import ApiFaults
from lab.kubernetes import ApiServer, ServiceAccount
from lab.network import Network
from lab.proxy import Proxy
from lab.scenario import Scenario, merge
from lab.servers import Kafka, Postgres
from lab.worker import Worker


class Link:
    """One way out: inside, this port of loopback leads to a server out here."""

    def __init__(self, network: Network, port: int, target_port: int):
        self.port = port
        self._network = network
        self._is_cut = False
        self.proxy = Proxy(target_port, port, network)

    def cut(self) -> None:
        """The line is down: every packet is lost, and nobody is told."""
        if not self._is_cut:
            self._network.drop(self.port)
            self._is_cut = True

    def refuse(self) -> None:
        """The server's host is there, the server is not: resets at once, and for every new connection."""
        self.proxy.refuse()
        self.proxy.cut()

    def stall(self) -> None:
        """The server stands still: its kernel accepts, and nothing is answered."""
        self.proxy.stall()

    def delay(self, seconds: float) -> None:
        """Each direction."""
        self.proxy.delay(seconds)

    def heal(self) -> None:
        if self._is_cut:
            self._network.heal(self.port)
            self._is_cut = False
        self.proxy.heal()


class Links:
    """A network namespace whose only ways out lead to PostgreSQL, Kafka and the API server. Each has the
    same address inside as out here; Kafka's is kafka.proxied_bootstrap."""

    def __init__(self, postgres: Postgres, kafka: Kafka, api: ApiServer, faults: ApiFaults | None = None):
        """faults: what stands before the API server."""
        self._stack = ExitStack()
        self.network = self._stack.enter_context(Network())
        api_port = faults.port if faults else api.port
        self.postgres = self._link(postgres.port, postgres.port)
        self.kafka = self._link(kafka.proxy_port, kafka.proxied_port)
        self.api = self._link(api.port, api_port)

    def _link(self, port: int, target_port: int) -> Link:
        link = Link(self.network, port, target_port)
        self._stack.enter_context(link.proxy)
        return link

    def __iter__(self) -> Iterator[Link]:
        return iter((self.postgres, self.kafka, self.api))

    def cut(self) -> None:
        """From all of them."""
        for link in self:
            link.cut()

    def heal(self) -> None:
        for link in self:
            link.heal()

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> "Links":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Replica:
    def __init__(
        self,
        scenario: Scenario,
        account: ServiceAccount,
        lease: str,
        directory: Path,
        faults: ApiFaults | None = None,
        in_cluster: bool = True,
    ):
        """directory: for what it finds of its service account. in_cluster: it takes itself for a process
        of a pod; else it has a kubeconfig."""
        self.links = Links(scenario.postgres, scenario.kafka, account.server, faults)
        self.account = account
        self.lease = lease
        self.mounted = account.mount(directory / "serviceaccount")
        self._scenario = scenario
        self._worker: Worker | None = None
        self._environment: dict[str, str] = {}
        self._prefix: list[str] = []
        self._election = {"mode": "lease", "leaseName": lease}
        if in_cluster:
            self._environment, self._prefix = account.in_cluster(self.mounted)
        else:
            path = account.kubeconfig(directory / "kubeconfig", self.mounted)
            self._election["kubeconfig"] = str(path)

    def config(self, config: dict, **changes: dict) -> dict:
        """That configuration by way of the links, with an election; the changes are sections."""
        ways = {
            "kafka": {"brokers": [self._scenario.kafka.proxied_bootstrap]},
            "election": self._election,
        }
        return merge(merge(config, ways), changes)

    def start(
        self,
        config: dict,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        **changes: dict,
    ) -> Worker:
        """Its worker; worker.start() starts the same one again after its end."""
        self._worker = self._scenario.worker(
            self.config(config, **changes),
            arguments,
            {**self._environment, **(environment or {})},
            [*self._prefix, *prefix],
            self.links.network,
        )
        return self._worker

    @property
    def worker(self) -> Worker:
        assert self._worker is not None, "the replica was not started"
        return self._worker

    def renew_token(self, token: str | None = None) -> None:
        """As kubelet does it: a new token, or that one, and the authority that is now."""
        self.account.mount(self.mounted, token)

    def close(self) -> None:
        """Its worker ends first: it may be in the middle of something that needs the links."""
        if self._worker is not None:
            self._worker.end()
        self.links.close()

    def __enter__(self) -> "Replica":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
