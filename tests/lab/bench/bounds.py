"""The line and its bounds, one run each: R, K, line, P, and on request a Debezium, D."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from lab.bench.debezium import Debezium
from lab.bench.measure import (
    Figures,
    busy_cpu_seconds,
    cpu_seconds,
    lsn_number,
    peak_rss_mb,
    tcp_segments,
)
from lab.bench.workloads import Workload
from lab.scenario import Scenario
from lab.servers import Kafka, Postgres
from lab.topics import create_topic, delete_topic
from lab.waiting import wait_until

POLL_SECONDS = 0.02  # asking costs the machine that is measured
TIMEOUT_SECONDS = 900
PRODUCER = (
    "enable.idempotence=true",
    "enable.gapless.guarantee=true",
    "queue.buffering.max.messages=200000",
    "batch.num.messages=2000",
    "batch.size=1048576",
    "socket.nagle.disable=true",
    "log_level=3",
)


class Bounds:
    def __init__(
        self,
        workload: Workload,
        rows: int,
        mode: str,
        linger: int,
        programs: tuple[Path, str],
        servers: tuple[Postgres, Kafka],
        directory: Path,
        work_mem: str | None = None,
        unix: bool = False,
    ):
        self.workload = workload
        self.rows = rows
        self.mode = mode
        self.linger = linger
        self.program, self.ceiling = programs
        self.postgres, self.kafka = servers
        self.directory = directory
        self.work_mem = work_mem  # logical_decoding_work_mem of all readers but D; None: the server's
        # Where the readers find PostgreSQL; D's driver knows no Unix sockets.
        self.host = str(self.postgres.state / "run") if unix else "127.0.0.1"
        self.turn = 0

    # One run each

    def reader_alone(self) -> Figures:
        scenario = self.scenario()
        try:
            return self.timed(
                scenario,
                lambda: self.start_worker(scenario, "--sink", "null"),
                lambda _: scenario.workers[0].status()["records_sent"] >= self.rows,
            )
        finally:
            scenario.close()

    def line(self) -> Figures:
        scenario = self.scenario()
        try:
            return self.into_topic(scenario, lambda: self.start_worker(scenario), scenario.topic)
        finally:
            scenario.close()

    def kafka_alone(self, rows: int | None = None) -> Figures:
        self.turn += 1
        topic = f"ceiling_{self.turn}"
        create_topic(self.kafka.bootstrap, topic)
        done = subprocess.run(
            [
                *(self.ceiling, self.kafka.bootstrap, topic, str(rows or self.rows), self.workload.value),
                *(*PRODUCER, f"linger.ms={self.linger}"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        delete_topic(self.kafka.bootstrap, topic)
        result = json.loads(done.stdout)
        return Figures(
            result["rows"], result["seconds"], result["cpu_seconds"], result["rss_kb"] / 1024
        )

    def recvlogical(self) -> Figures:
        scenario = self.scenario()
        command = [
            *("pg_recvlogical", "-d", f"{scenario.dsn} host={self.host}", "-S", scenario.slot, "--start", "-f", "/dev/null"),
            *("-o", "proto_version=1", "-o", f"publication_names={scenario.publication}"),
            *("-F", "0", "-s", "1"),
        ]
        options = f"-c logical_decoding_work_mem={self.work_mem}" if self.work_mem else ""
        processes: list[subprocess.Popen] = []

        def start() -> int:
            processes.append(subprocess.Popen(command, env={**os.environ, "PGOPTIONS": options}))
            return processes[0].pid

        try:
            with self.postgres.connect() as connection:
                return self.timed(scenario, start, lambda target: sent(connection) >= target)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
            scenario.close()

    def debezium(self) -> Figures:
        scenario = self.scenario()
        debezium = Debezium(scenario, self.workload.table, self.directory / f"debezium-{self.turn}")
        create_topic(self.kafka.bootstrap, debezium.topic)

        def start() -> int:
            debezium.start()
            return debezium.pid

        try:
            return self.into_topic(scenario, start, debezium.topic, debezium.flatten)
        finally:
            debezium.stop()
            scenario.close()

    # What they share

    def scenario(self) -> Scenario:
        """Table, publication and slot are there: every reader finds the same."""
        self.turn += 1
        scenario = Scenario(f"bench_{self.turn}", self.postgres, self.kafka, self.program, self.directory)
        scenario.execute(self.workload.create)
        for statement in (self.workload.before or "").split(";"):
            if statement:
                scenario.execute(statement.format(rows=self.rows))
        scenario.execute("checkpoint")
        scenario.execute(f"create publication {scenario.publication} for table {self.workload.table}")
        scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
        return scenario

    def start_worker(self, scenario: Scenario, *arguments: str) -> int:
        config = scenario.config(
            [self.workload.table],
            cdc={"host": self.host} | ({"decodingWorkMem": self.work_mem} if self.work_mem else {}),
            kafka={"producerBatchTickerDuration": f"{self.linger}ms"},
        )
        return scenario.worker(config, arguments).pid

    def load(self, scenario: Scenario) -> int:
        """Returns the LSN after the last commit."""
        with scenario.connect() as connection:
            for name, value in self.workload.session.items():
                connection.execute("select set_config(%s, %s, false)", (name, value))
            connection.execute(self.workload.load.format(rows=self.rows))
            return lsn_number(connection.execute("select pg_current_wal_insert_lsn()").fetchone()[0])

    def timed(
        self, scenario: Scenario, start_reader: Callable[[], int], is_done: Callable[[int], bool]
    ) -> Figures:
        """start_reader returns the pid of what reads the slot; is_done gets the LSN to be reached."""
        if self.mode == "backlog":
            target = self.load(scenario)
        pid = start_reader()
        walsender = wait_until(
            lambda: scenario.slot_row().get("active_pid"), "the slot is read", 120, interval=0.002
        )
        start = time.monotonic()
        before = cpu_seconds(pid), cpu_seconds(walsender)
        if self.mode == "live":
            target = self.load(scenario)
            start = time.monotonic()
        others, segments = self.others_cpu_seconds(pid, walsender), tcp_segments()
        wait_until(lambda: is_done(target), "all rows are through", TIMEOUT_SECONDS, POLL_SECONDS)
        seconds = time.monotonic() - start
        return Figures(
            self.rows,
            seconds,
            cpu_seconds(pid) - before[0],
            peak_rss_mb(pid),
            cpu_seconds(walsender) - before[1],
            (self.others_cpu_seconds(pid, walsender) - others) / seconds,
            (tcp_segments() - segments) / self.rows,
        )

    def others_cpu_seconds(self, *pids: int) -> float:
        known = sum(cpu_seconds(pid) for pid in (*pids, self.kafka.pid))
        return busy_cpu_seconds() - known - time.process_time()

    def into_topic(
        self,
        scenario: Scenario,
        start_reader: Callable[[], int],
        topic: str,
        flatten: Callable | None = None,
    ) -> Figures:
        figures = self.timed(
            scenario, start_reader, lambda _: scenario.reader.count(topic) >= self.rows
        )
        figures.content = self.compare(scenario, topic, flatten)
        delete_topic(self.kafka.bootstrap, topic)
        return figures

    def compare(self, scenario: Scenario, topic: str, flatten: Callable | None) -> str:
        number = 0
        for number, record in enumerate(scenario.reader.stream(topic), 1):
            difference = self.workload.difference(number, flatten(record) if flatten else record)
            if difference:
                return difference
        return "exact" if number == self.rows else f"{number} records"


def sent(connection: psycopg.Connection) -> int:
    """How far pg_recvlogical was sent; it says nothing itself."""
    row = connection.execute(
        "select sent_lsn from pg_stat_replication where application_name = 'pg_recvlogical'"
    ).fetchone()
    return lsn_number(row[0]) if row and row[0] else 0
