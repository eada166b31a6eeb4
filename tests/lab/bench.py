"""The line's speed beside its bounds; scripts/bench runs it and says what is measured."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from lab.scenario import Scenario
from lab.servers import Kafka, Postgres
from lab.topics import create_topic, delete_topic
from lab.waiting import wait_until

TABLE = """
drop table if exists users;
create table users (id serial primary key, name text not null, created_on timestamptz);
alter table users replica identity full;
checkpoint;
"""
LOAD = "insert into users (name) select 'Oyleli' || i from generate_series(1, %s) i"
MODES = {
    "live": "its COMMIT, the reader being there",
    "backlog": "the start of the reader, the rows being there",
}
POLL_SECONDS = 0.002
WARM_UP_ROWS = 3_000_000
TIMEOUT_SECONDS = 600


@dataclass
class Figures:
    """CPU in seconds; None: there is no such process or it was not looked at."""

    rows: int
    seconds: float
    cpu: float
    rss_mb: float
    walsender_cpu: float | None = None
    content: str = ""

    @property
    def rate(self) -> float:
        return self.rows / self.seconds

    @property
    def cpu_per_million(self) -> float:
        return self.cpu * 1e6 / self.rows

    @property
    def walsender_per_million(self) -> float | None:
        return None if self.walsender_cpu is None else self.walsender_cpu * 1e6 / self.rows


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmHWM of process {pid}")


def lsn_number(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Bench:
    def __init__(self, options: argparse.Namespace, postgres: Postgres, kafka: Kafka, directory: Path):
        self.options = options
        self.postgres = postgres
        self.kafka = kafka
        self.directory = directory
        self.turn = 0

    def scenario(self) -> Scenario:
        """Table, publication and slot are there: every reader finds the same."""
        self.turn += 1
        scenario = Scenario(
            f"bench_{self.turn}", self.postgres, self.kafka, self.options.program, self.directory
        )
        scenario.execute(TABLE)
        scenario.execute(f"create publication {scenario.publication} for table users")
        scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
        return scenario

    def load(self, scenario: Scenario) -> int:
        """One transaction; returns the LSN after its commit."""
        with scenario.connect(autocommit=False) as connection:
            connection.execute(LOAD, (self.options.rows,))
            connection.commit()
            return lsn_number(connection.execute("select pg_current_wal_insert_lsn()").fetchone()[0])

    def timed(
        self, scenario: Scenario, start_reader: Callable[[], int], is_done: Callable[[int], bool]
    ) -> Figures:
        """start_reader returns the pid of what reads the slot; is_done gets the LSN to be reached."""
        if self.options.mode == "backlog":
            target = self.load(scenario)
        pid = start_reader()
        walsender = wait_until(
            lambda: scenario.slot_row().get("active_pid"), "the slot is read", interval=POLL_SECONDS
        )
        start = time.monotonic()
        before = cpu_seconds(pid), cpu_seconds(walsender)
        if self.options.mode == "live":
            target = self.load(scenario)
            start = time.monotonic()
        wait_until(lambda: is_done(target), "all rows are through", TIMEOUT_SECONDS, POLL_SECONDS)
        return Figures(
            self.options.rows,
            time.monotonic() - start,
            cpu_seconds(pid) - before[0],
            peak_rss_mb(pid),
            cpu_seconds(walsender) - before[1],
        )

    def start_worker(self, scenario: Scenario, *arguments: str) -> int:
        return scenario.worker(self.config(scenario), arguments).pid

    def reader_alone(self) -> Figures:
        scenario = self.scenario()
        try:
            return self.timed(
                scenario,
                lambda: self.start_worker(scenario, "--sink", "null"),
                lambda _: scenario.workers[0].status()["records_sent"] >= self.options.rows,
            )
        finally:
            scenario.close()

    def line(self) -> Figures:
        scenario = self.scenario()
        try:
            figures = self.timed(
                scenario,
                lambda: self.start_worker(scenario),
                lambda _: scenario.reader.count(scenario.topic) >= self.options.rows,
            )
            figures.content = self.compare(scenario)
            delete_topic(self.kafka.bootstrap, scenario.topic)
            return figures
        finally:
            scenario.close()

    def config(self, scenario: Scenario) -> dict:
        return scenario.config(kafka={"producerBatchTickerDuration": f"{self.options.linger}ms"})

    def compare(self, scenario: Scenario) -> str:
        records = scenario.records()
        if len(records) != self.options.rows:
            return f"{len(records)} records"
        for number, record in enumerate(records, 1):
            value = f'{{"created_on":null,"id":{number},"name":"Oyleli{number}","operation":"INSERT"}}'
            if record.value != value.encode() or record.key != str(number).encode():
                return f"record {number} differs: {record.key!r} {record.value!r}"
        return "exact"

    def kafka_alone(self, rows: int | None = None) -> Figures:
        self.turn += 1
        topic = f"ceiling_{self.turn}"
        create_topic(self.kafka.bootstrap, topic)
        properties = [
            "enable.idempotence=true",
            "queue.buffering.max.messages=200000",
            "batch.num.messages=2000",
            "batch.size=1048576",
            f"linger.ms={self.options.linger}",
        ]
        command = [self.options.ceiling, self.kafka.bootstrap, topic, str(rows or self.options.rows)]
        done = subprocess.run([*command, *properties], capture_output=True, text=True, check=True)
        delete_topic(self.kafka.bootstrap, topic)
        result = json.loads(done.stdout)
        return Figures(
            result["rows"], result["seconds"], result["cpu_seconds"], result["rss_kb"] / 1024
        )

    def recvlogical(self) -> Figures:
        scenario = self.scenario()
        command = [
            *("pg_recvlogical", "-d", scenario.dsn, "-S", scenario.slot, "--start", "-f", "/dev/null"),
            *("-o", "proto_version=1", "-o", f"publication_names={scenario.publication}"),
            *("-F", "0", "-s", "1"),
        ]
        processes: list[subprocess.Popen] = []

        def start() -> int:
            processes.append(subprocess.Popen(command))
            return processes[0].pid

        try:
            with self.postgres.connect() as connection:
                return self.timed(scenario, start, lambda target: sent(connection) >= target)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
            scenario.close()


def sent(connection: psycopg.Connection) -> int:
    """How far pg_recvlogical was sent; it says nothing itself."""
    row = connection.execute(
        "select sent_lsn from pg_stat_replication where application_name = 'pg_recvlogical'"
    ).fetchone()
    return lsn_number(row[0]) if row and row[0] else 0


def machine() -> str:
    model = next(
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}"


def spread(values: list[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{median(known):,.{digits}f} ({min(known):,.{digits}f}..{max(known):,.{digits}f})"


def table(results: dict[str, list[Figures]]) -> str:
    lines = [
        "| | rows/s | CPU-s / M rows | peak RSS MB | walsender CPU-s / M rows | topic |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in results.items():
        content = sorted({figures.content for figures in runs if figures.content})
        cells = [
            spread([figures.rate for figures in runs], 0),
            spread([figures.cpu_per_million for figures in runs], 2),
            spread([figures.rss_mb for figures in runs], 1),
            spread([figures.walsender_per_million for figures in runs], 2),
            ", ".join(content) or "-",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ratios(results: dict[str, list[Figures]]) -> str:
    rate = {name: median(figures.rate for figures in runs) for name, runs in results.items()}
    cpu = {name: median(figures.cpu_per_million for figures in runs) for name, runs in results.items()}
    return (
        f"line / P = {rate['line'] / rate['P']:.2f}; "
        f"line / min(R, K) = {rate['line'] / min(rate['R'], rate['K']):.2f}; "
        f"CPU of line - CPU of K = {cpu['line'] - cpu['K']:.2f} s per million rows"
    )


def run(options: argparse.Namespace, directory: Path) -> int:
    postgres = Postgres(directory / "postgres", options.pg_major)
    kafka = Kafka(directory / "kafka", heap="512m")
    try:
        versions = [server.start().split(":")[0] for server in (postgres, kafka)]
        bench = Bench(options, postgres, kafka, directory / "workers")
        print(f"warming the broker with {WARM_UP_ROWS:,} records", flush=True)
        bench.kafka_alone(WARM_UP_ROWS)
        parts = {"R": bench.reader_alone, "K": bench.kafka_alone, "line": bench.line, "P": bench.recvlogical}
        results: dict[str, list[Figures]] = {name: [] for name in parts}
        for number in range(1, options.runs + 1):
            for name, measure in parts.items():
                figures = measure()
                results[name].append(figures)
                print(
                    f"run {number} of {options.runs}, {name}: {figures.rate:,.0f} rows/s, "
                    f"{figures.cpu_per_million:.2f} CPU-s/M rows, {figures.rss_mb:.1f} MB {figures.content}",
                    flush=True,
                )
    finally:
        kafka.stop()
        postgres.stop()
    print(
        f"\n{machine()}; {', '.join(versions)}; {options.rows:,} rows in one transaction, timed from "
        f"{MODES[options.mode]}; {options.runs} runs in turns, median (min..max); "
        f"linger {options.linger} ms, acks=all, idempotent, no compression, no headers, 1 partition.\n\n{table(results)}\n\n{ratios(results)}"
    )
    return 0 if all(figures.content == "exact" for figures in results["line"]) else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench line")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--mode", choices=MODES, default="live")
    parser.add_argument("--linger", type=int, default=5)
    parser.add_argument("--pg-major", default="16")
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--ceiling", required=True)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="pqcdc-bench."))
    directory.chmod(0o755)
    status = run(options, directory)
    shutil.rmtree(directory)
    return status


if __name__ == "__main__":
    sys.exit(main())
