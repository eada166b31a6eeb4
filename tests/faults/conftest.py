"""A line under load whose topic is judged at the end."""

from dataclasses import dataclass

import pytest

from lab import workload
from lab.checker import Verdicts, judge_topic
from lab.scenario import Scenario
from lab.worker import Worker
from lab.workload import Writers


@dataclass
class Line:
    scenario: Scenario
    topic: str
    ids: int

    def start(self, environment: dict[str, str] | None = None) -> Worker:
        return self.scenario.worker(self.config(), environment=environment)

    def streaming(self) -> Worker:
        worker = self.start()
        worker.wait_streaming()
        return worker

    def config(self) -> dict:
        table = {"name": "t", "replicaIdentity": "FULL"}
        return self.scenario.config([table], kafka={"tableTopicMapping": {"public.t": self.topic}})

    def writers(self, largest: int = 1000, pause: float = 0) -> Writers:
        return Writers(self.scenario.dsn, self.ids, largest=largest, pause=pause)

    def verdicts(self) -> Verdicts:
        return judge_topic(self.scenario.dsn, self.scenario.kafka.bootstrap, self.topic)


@pytest.fixture
def line(scenario) -> Line:
    line = Line(scenario, scenario.create_topic("t", partitions=3), ids=2000)
    with scenario.connect() as connection:
        workload.create(connection, line.ids)
        # The slot stands before the first change, so that every change must arrive.
        connection.execute(f"create publication {scenario.publication} for table t")
        connection.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
    return line


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
