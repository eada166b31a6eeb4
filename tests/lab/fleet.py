"""The pods of one line on the cluster, made in one of the two ways: by the chart alone, or by the operator of a
Connector."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab.cluster import Pods, Space
from lab.line import Line
from lab.scenario import Scenario, merge
from lab.waiting import patient, wait_until

ROOT = Path(__file__).resolve().parents[2]
CHART, CONNECTOR_CHART = ROOT / "charts/pqcdc", ROOT / "charts/pqcdc-connector"
PROGRAM, CONFIG = "/usr/bin/pqcdc", "/etc/pqcdc/config.yaml"  # in a pod
LOOK = 0.02  # seconds between two looks at who reads the slot
PATIENCE = 90  # seconds: pods are made and ended meanwhile, on a machine that has other things to do


@dataclass
class Reader:
    """The session that read the slot, from the first to the last look that saw it."""

    pid: int
    first: float
    last: float


def look_at_reader(scenario: Scenario, over: threading.Event, seen: list[Reader]) -> None:
    query = "select active_pid from pg_replication_slots where slot_name = %s"
    with scenario.connect() as connection:
        while not over.wait(LOOK):
            ((pid,),) = connection.execute(query, (scenario.slot,)).fetchall()
            now = time.monotonic()
            if pid and seen and seen[-1].pid == pid:
                seen[-1].last = now
            elif pid:
                seen.append(Reader(pid, now, now))


def gaps_between(seen: list[Reader]) -> list[float]:
    return [after.first - before.last for before, after in pairwise(seen)]


class Fleet:
    """What is the same in both."""

    def __init__(self, space: Space, line: Line, name: str, selector: str, directory: Path):
        self.space = space
        self.line = line
        self.name = name
        self.pods = Pods(space, selector)
        self.directory = directory
        self.changes: dict = {}  # sections of the configuration
        self.image: str | None = None
        self.replicas = 2
        self.deployment: str

    def config(self) -> dict:
        return merge(self.line.config(), self.changes)

    def write(self) -> None:
        """What is wanted now goes to the cluster."""
        raise NotImplementedError

    def scale(self, replicas: int) -> None:
        """By kubectl scale."""
        raise NotImplementedError

    def start(self, **changes: dict) -> str:
        """The pod that streams then."""
        self.changes = changes
        self.write()
        leader = self.pods.wait_leader(PATIENCE)
        self.pods.wait_ready(self.replicas, PATIENCE)
        return leader

    def configure(self, **changes: dict) -> None:
        self.changes = merge(self.changes, changes)
        self.write()

    def set_image(self, image: str) -> None:
        self.image = image
        self.write()

    def restart(self) -> None:
        self.space.kubectl("rollout", "restart", f"deployment/{self.deployment}")

    def wait_rolled(self) -> None:
        """The roll-out is over."""
        self.space.kubectl("rollout", "status", f"deployment/{self.deployment}", f"--timeout={patient(PATIENCE):.0f}s")
        self.pods.wait_ready(self.replicas, PATIENCE)

    # The line

    def wait_delivery(self) -> None:
        """More is in the topic than now."""
        before = sum(self.line.reader_ends().values())
        self._wait(lambda: sum(self.line.reader_ends().values()) > before, "records arrive")

    def settle(self) -> None:
        """Everything that is committed now is delivered and confirmed."""
        scenario = self.line.scenario
        ((target,),) = scenario.execute("select pg_current_wal_insert_lsn()")
        confirmed = "select confirmed_flush_lsn >= %s from pg_replication_slots where slot_name = %s"
        self._wait(lambda: scenario.execute(confirmed, (target, scenario.slot)) == [(True,)], f"{target} is confirmed")

    @contextmanager
    def takeover(self, say) -> Iterator[None]:
        """Within it the leader is made to go; the time until another session reads the slot is said."""
        before = self.line.walsender()
        start = time.monotonic()
        yield
        self._wait(lambda: self.line.walsender() not in (None, before), "another session reads the slot")
        say(f"the slot was taken over {time.monotonic() - start:.2f} s after the command was given")

    @contextmanager
    def handover(self, say) -> Iterator[None]:
        """Within it the lead moves at some time or other; for how long nobody read the slot then is said."""
        over = threading.Event()
        seen: list[Reader] = []
        looks = threading.Thread(target=look_at_reader, args=(self.line.scenario, over, seen))
        looks.start()
        try:
            yield
        finally:
            over.set()
            looks.join()
        gaps = [f"{gap:.2f} s" for gap in gaps_between(seen)]
        assert gaps, "the lead did not move"
        say(f"when the lead moved nobody read the slot for {', '.join(gaps)}")

    def transitions(self) -> int:
        """How often the Lease went to another holder: that it is let go does not count, that it is taken does."""
        (lease,) = self.space.list("lease")
        return lease["spec"]["leaseTransitions"]

    def _wait(self, condition, what: str) -> None:
        try:
            wait_until(condition, what, PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.pods.describe()}") from None


class ChartFleet(Fleet):
    """By `helm install`, without the operator."""

    def __init__(self, space: Space, line: Line, directory: Path, major: int = 3):
        selector = "app.kubernetes.io/instance=orders,app.kubernetes.io/component=worker"
        super().__init__(space, line, "orders", selector, directory)
        self.major = major
        self.deployment = "orders-pqcdc-worker"
        self.worker: dict = {}  # values of it, besides the configuration

    def values(self) -> dict:
        values = {
            "crds": {"install": False},
            "operator": {"enabled": False},
            "worker": {"enabled": True, "config": self.config(), "replicaCount": self.replicas} | self.worker,
        }
        if self.image:
            values["image"] = {"tag": self.image.rpartition(":")[2]}
        return values

    def write(self) -> None:
        file = self.directory / f"{self.space.name}-values.json"
        file.write_text(json.dumps(self.values(), indent=2))
        self.space.helm(self.major, "upgrade", "--install", self.name, str(CHART), "--values", str(file))

    def scale(self, replicas: int) -> None:
        self.replicas = replicas
        self.space.kubectl("scale", f"deployment/{self.deployment}", f"--replicas={replicas}")


class ConnectorFleet(Fleet):
    """By a resource Connector, which the operator looks after."""

    def __init__(self, space: Space, line: Line, directory: Path, name: str = "orders"):
        super().__init__(space, line, name, f"pqcdc.io/connector={name}", directory)
        self.deployment = f"pqcdc-{name}"
        self.spec: dict = {}  # of the resource, besides the configuration
        self.drop = f"pqcdc-{name}-drop"  # the Job that drops the slot

    def resource(self) -> dict:
        spec = {"replicas": self.replicas} | self.config() | self.spec
        if self.image:
            repository, _, tag = self.image.rpartition(":")
            spec["image"] = {"repository": repository, "tag": tag}
        return {
            "apiVersion": "pqcdc.io/v1alpha1",
            "kind": "Connector",
            "metadata": {"name": self.name},
            "spec": spec,
        }

    def write(self) -> None:
        self.space.apply(self.resource())

    def scale(self, replicas: int) -> None:
        self.replicas = replicas
        self.space.kubectl("scale", f"connector/{self.name}", f"--replicas={replicas}")

    def patch(self, **spec: object) -> None:
        """As somebody does by hand; None takes a field away."""
        self.spec |= {field: value for field, value in spec.items() if value is not None}
        patch = json.dumps({"spec": spec})
        self.space.kubectl("patch", f"connector/{self.name}", "--type=merge", f"--patch={patch}")

    def conditions(self) -> dict[str, dict]:
        connector = self.space.find("connector", self.name) or {}
        return {c["type"]: c for c in connector.get("status", {}).get("conditions", ())}

    def wait_condition(self, type_: str, status: str, reason: str | None = None, timeout: float = PATIENCE) -> dict:
        def found() -> dict | None:
            condition = self.conditions().get(type_, {})
            if condition.get("status") != status or reason not in (None, condition.get("reason")):
                return None
            return condition

        try:
            return wait_until(found, f"{type_}={status} {reason or ''}", timeout, interval=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(self.conditions(), indent=1)}\n{self.pods.describe()}") from None

    def wait_marked(self, leader: str) -> None:
        """The operator has written who leads to its pod, so that it goes last."""

        def marked() -> bool:
            pods = self.space.list("pod", f"{self.pods.selector},pqcdc.io/role=leader")
            return [pod["metadata"]["name"] for pod in pods] == [leader]

        wait_until(marked, "the leader's pod has its label", PATIENCE, interval=0.2)

    def wait_drop_failed(self) -> dict:
        """By somebody who does not let the Job that drops the slot try again after 10, 20 and 40 s."""
        pods = f"batch.kubernetes.io/job-name={self.drop}"
        wait_until(lambda: self.space.list("pod", pods), "the Job has a pod", PATIENCE, interval=0.2)
        self.space.kubectl("patch", f"job/{self.drop}", "--type=merge", '--patch={"spec": {"backoffLimit": 0}}')
        condition = self.wait_condition("Degraded", "True", "DropFailed")
        assert f'slot "{self.line.scenario.slot}" was not dropped' in condition["message"]
        return condition

    def wait_halted(self) -> set[str]:
        """All its pods say that a person must act, and none is ended for that."""

        def halted() -> bool:
            states = [status["state"] for status in self.pods.statuses().values()]
            return states == ["halted"] * self.replicas

        wait_until(halted, "all workers are halted", PATIENCE, interval=0.2)
        return self.pods.names()

    def wait_event(self, reason: str) -> dict:
        """A warning about the Connector."""

        def found() -> dict | None:
            events = [event for event in self.space.list("event") if event["regarding"].get("name") == self.name]
            warnings = [event for event in events if event["type"] == "Warning" and event["reason"] == reason]
            return warnings[0] if warnings else None

        return wait_until(found, f"an event {reason}", PATIENCE, interval=0.2)
