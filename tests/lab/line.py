"""A line under load whose topic is judged at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from lab import impact as impacts
from lab import workload
from lab.checker import Verdicts, judge_topic
from lab.impact import Impact
from lab.proxy import Proxy
from lab.record import parse_lsn
from lab.scenario import Scenario, merge
from lab.servers import Postgres
from lab.waiting import wait_until
from lab.worker import Worker
from lab.workload import Writers


# Little may be in flight, so that the line is soon full: some 2,800 records.
NARROW = {"maxInFlightBytes": "1mb"}
# What librdkafka 2.0.2 says when it has lost count of what the brokers have. A new producer begins at the
# slot then, and what was unconfirmed comes again.
LOST_COUNT = "OUT_OF_ORDER_SEQUENCE_NUMBER"


@dataclass
class Line:
    scenario: Scenario
    topic: str
    ids: int
    changes: dict = field(default_factory=dict)  # sections, for every worker of this line

    def start(
        self,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        arguments: Sequence[str] = (),
        **changes: dict,
    ) -> Worker:
        """The changes are sections of the configuration, as for Scenario.config()."""
        return self.scenario.worker(self.config(**changes), arguments, environment, prefix)

    def streaming(self, *arguments, **keywords) -> Worker:
        worker = self.start(*arguments, **keywords)
        worker.wait_streaming()
        return worker

    def config(self, **changes: dict) -> dict:
        """The changes are sections: config(cdc={...})."""
        table = {"name": "t", "replicaIdentity": "FULL"}
        base = self.scenario.config([table], kafka={"tableTopicMapping": {"public.t": self.topic}})
        return merge(merge(base, self.changes), changes)

    def create(self, server: Postgres, slot_options: str = "") -> None:
        """The table and what watches over it, the publication and the slot. The slot stands before
        the first change, so that every change must arrive."""
        with server.connect(self.scenario.database) as connection:
            workload.create(connection, self.ids)
            connection.execute(f"create publication {self.scenario.publication} for table t")
            connection.execute(
                f"select pg_create_logical_replication_slot('{self.scenario.slot}', 'pgoutput'{slot_options})"
            )

    def writers(self, largest: int = 1000, pause: float = 0.005) -> Writers:
        return Writers(self.scenario.dsn, self.ids, largest=largest, pause=pause)

    def reader_ends(self) -> dict[int, int]:
        """Partition -> its end: it moves when something is told."""
        return self.scenario.reader.ends(self.topic)

    def walsender(self) -> int | None:
        """The pid that reads the slot."""
        return self.scenario.slot_row().get("active_pid")

    def terminate_walsender(self) -> None:
        self.scenario.execute("select pg_terminate_backend(%s)", (self.walsender(),))

    def change(self, first: int, last: int, rounds: int = 1) -> int:
        """One transaction that changes every row of a range that often; its number of changes."""
        with self.scenario.connect(autocommit=False) as connection:
            for _ in range(rounds):
                workload.change_range(connection, first, last)
        return rounds * (last + 1 - first)

    def left_behind(self) -> int:
        """How many events the topic has, once nobody reads the slot, of transactions that the slot does not
        know to be delivered: they come again. They must have the header pos."""
        wait_until(lambda: self.walsender() is None, "nobody reads the slot")
        confirmed = parse_lsn(self.scenario.slot_row()["confirmed_flush_lsn"])
        positions = [record.headers["pos"] for record in self.scenario.records(self.topic)]
        return sum(int(position.split(b"/")[0]) >= confirmed for position in positions)

    def verdicts(self) -> Verdicts:
        return judge_topic(self.scenario.dsn, self.scenario.kafka.bootstrap, self.topic)


@pytest.fixture
def line_on():
    """line_on(scenario) -> a line in that world."""

    def make(scenario: Scenario, slot_options: str = "") -> Line:
        line = Line(scenario, scenario.create_topic("t", partitions=3), ids=2000)
        line.create(scenario.postgres, slot_options)
        return line

    return make


@pytest.fixture
def line(scenario, line_on) -> Line:
    return line_on(scenario)


@pytest.fixture
def proxy(kafka):
    """Between those who come by kafka.proxied_bootstrap and the broker."""
    with Proxy(kafka.proxied_port, kafka.proxy_port) as proxy:
        yield proxy


@pytest.fixture
def far_line(line, proxy):
    """Kafka is 100 ms away: while there is load some records are always on their way. Each says its place."""
    proxy.delay(0.1)
    line.changes = {"kafka": {"brokers": [line.scenario.kafka.proxied_bootstrap]}, "format": {"headers": ["pos"]}}
    return line


@pytest.fixture
def open_transaction(line, kafka):
    """with open_transaction(worker): Kafka stands still, a large transaction is committed, and the worker is
    full in the middle of it, while the walsender has still much of it to send. So it is open at whatever is
    done there, for as long as that takes."""

    def waits_for_reader() -> bool:
        return line.scenario.execute(
            "select wait_event = 'WalSenderWriteData' from pg_stat_activity where pid = %s", (line.walsender(),)
        ) == [(True,)]

    @contextmanager
    def hold(worker: Worker) -> Iterator[None]:
        line.change(1, line.ids)
        line.scenario.settle(worker)  # so that each partition has acknowledged something
        with kafka.frozen():
            # Some 18 MB: more than our queue and the sockets between us and PostgreSQL hold.
            line.change(1, line.ids, rounds=40)
            worker.wait_full()
            worker.wait(waits_for_reader, "the walsender can send no more", timeout=60)
            assert worker.status()["transaction_open"], "proved nothing: no transaction is open"
            yield

    return hold


@pytest.fixture
def acquit(say):
    """acquit(line): the verdicts, which must all hold; duplicates are the caller's to judge."""

    def judge(line: Line) -> Verdicts:
        verdicts = line.verdicts()
        say(str(verdicts))
        assert verdicts.loss_free and verdicts.ordered and verdicts.settled, str(verdicts)
        assert verdicts.changes > 0, "nothing was written: this proves nothing"
        return verdicts

    return judge


@pytest.fixture
def acquit_of_repeats(acquit, say):
    """acquit_of_repeats(line, worker): nothing is in the topic twice, unless that worker's producer was lost
    for the one known reason; then it is said."""

    def judge(line: Line, worker: Worker) -> Verdicts:
        verdicts = acquit(line)
        lost = [log for log in worker.logs() if log.get("code") == LOST_COUNT and log["msg"] == "starting"]
        if verdicts.duplicates > 0 and lost:
            say(f"{LOST_COUNT}: a new producer wrote {verdicts.duplicates} records again; {lost[0]['error']}")
        else:
            assert verdicts.duplicates == 0, str(verdicts)
        return verdicts

    return judge


@pytest.fixture
def impact(request: pytest.FixtureRequest):
    """What this test's faults hit: a row of the table that the run ends with."""
    impact = Impact(request.node.name)
    yield impact
    if impact.strikes:
        request.node.user_properties.append(("impact", impact.row()))


def pytest_terminal_summary(terminalreporter) -> None:
    """The rows travel with the reports of the tests, from whatever process ran them."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [getattr(report, "user_properties", ()) for report in reports]
    rows = dict.fromkeys(value for pairs in properties for name, value in pairs if name == "impact")
    if rows:
        terminalreporter.section("what the faults hit")
        for line in (impacts.LEGEND, impacts.HEADER, *rows):
            terminalreporter.write_line(line)


@pytest.fixture
def kafka_back(kafka):
    """Whatever the test did, the next one finds Kafka."""
    yield
    kafka.mend()


@pytest.fixture
def postgres_back(postgres):
    yield
    if not postgres.runs():
        postgres.start()
