"""scripts/bench latency: from COMMIT until a consumer has the record, beside librdkafka alone.

One consumer (tests/lab/tools/kafka_probe.c) measures both: the line from the commit time that
PostgreSQL wrote into the WAL (header commit_ts), librdkafka alone from the time of produce(). For
librdkafka alone the delivery reports are timed as well, which shows how far "a consumer has it" is
from "it is acknowledged": the line is held against the acknowledgement, so what the consumer adds
counts against it. PostgreSQL takes the commit time before it flushes the WAL; the flush is in the
line's figures, and none in the floor's.
"""

import argparse
import re
import subprocess
import time
from pathlib import Path
from statistics import median

from lab.bench.measure import machine, markdown, percentile, spread
from lab.bench.bounds import PRODUCER
from lab.bench.workloads import WORKLOADS
from lab.scenario import Scenario
from lab.servers import Kafka, Postgres
from lab.topics import create_topic, delete_topic

PERCENTS = (50, 99, 99.9)
WARM_UP_SECONDS = 2
RATE_REACHED = 0.95
INSERT = "insert into users (name) values ('Oyleli');\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000, help="transactions a second")
    parser.add_argument("--linger", type=lambda text: [int(part) for part in text.split(",")], default=[1, 5])


def run(options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path) -> int:
    bench = LatencyBench(options, servers, directory)
    results: dict[tuple[int, str], list[list[float]]] = {}
    print("warming the broker", flush=True)
    bench.floor(options.linger[0])
    for number in range(1, options.runs + 1):
        for linger in options.linger:
            for name, samples in {**bench.floor(linger), **bench.line(linger)}.items():
                values = [percentile(samples, percent) / 1000 for percent in PERCENTS]
                results.setdefault((linger, name), []).append(values)
                print(
                    f"run {number} of {options.runs}, linger {linger} ms, {name}: "
                    + ", ".join(f"p{p:g} {v:.2f} ms" for p, v in zip(PERCENTS, values)),
                    flush=True,
                )
    print(
        f"\n{machine()}; {options.versions}\n"
        f"{options.rate} single-row transactions a second at random moments, {options.seconds} s a run after "
        f"{WARM_UP_SECONDS} s of warm-up, reached {spread(bench.rates, 0)}; {options.runs} runs in turns, median of the runs (worst run); ms; "
        f"acks=all, idempotent, no compression, header commit_ts, 1 partition\n\n{table(results)}\n\n{aims(results)}"
    )
    return 0


class LatencyBench:
    def __init__(self, options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path):
        self.options = options
        self.postgres, self.kafka = servers
        self.directory = directory
        self.skipped = options.rate * WARM_UP_SECONDS
        self.count = options.rate * (options.seconds + WARM_UP_SECONDS)
        self.turn = 0
        self.rates: list[float] = []

    def floor(self, linger: int) -> dict[str, list[int]]:
        self.turn += 1
        topic = f"floor_{self.turn}"
        create_topic(self.kafka.bootstrap, topic)
        consumer = self.consumer(topic)
        began = time.monotonic()
        done = subprocess.run(
            [
                *(self.options.probe, "send", self.kafka.bootstrap, topic, str(self.count)),
                *(str(self.options.rate), *PRODUCER, f"linger.ms={linger}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        self.judge_rate("librdkafka alone", self.count / (time.monotonic() - began))
        received = self.samples(consumer.communicate()[0])
        delete_topic(self.kafka.bootstrap, topic)
        return {"floor, acked": self.samples(done.stdout), "floor, received": received}

    def line(self, linger: int) -> dict[str, list[int]]:
        self.turn += 1
        scenario = Scenario(
            f"latency_{self.turn}", self.postgres, self.kafka, self.options.program, self.directory
        )
        try:
            scenario.execute(WORKLOADS["users"].create)
            scenario.streaming(
                scenario.config(
                    kafka={"producerBatchTickerDuration": f"{linger}ms"}, format={"headers": ["commit_ts"]}
                )
            )
            consumer = self.consumer(scenario.topic)
            self.commit(scenario)
            received = self.samples(consumer.communicate()[0])
            delete_topic(self.kafka.bootstrap, scenario.topic)
            return {"line, received": received}
        finally:
            scenario.close()

    def commit(self, scenario: Scenario) -> None:
        script = self.directory / "insert.sql"
        script.write_text(INSERT)
        done = subprocess.run(
            [
                *("pgbench", "--no-vacuum", "--client=4", f"--rate={self.options.rate}"),
                *(f"--transactions={self.count // 4}", f"--file={script}", scenario.dsn),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        self.judge_rate("pgbench", float(re.search(r"tps = ([\d.]+)", done.stdout).group(1)))

    def judge_rate(self, who: str, rate: float) -> None:
        """A machine that cannot keep the rate measures another load than the one that is named."""
        self.rates.append(rate)
        if rate < RATE_REACHED * self.options.rate:
            print(f"{who} reached {rate:.0f} a second only: the machine is too busy", flush=True)

    def consumer(self, topic: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [self.options.probe, "receive", self.kafka.bootstrap, topic, str(self.count)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    def samples(self, output: str) -> list[int]:
        samples = [int(line) for line in output.split()]
        assert len(samples) == self.count, f"{len(samples)} of {self.count} records were timed"
        return samples[self.skipped :]


def table(results: dict[tuple[int, str], list[list[float]]]) -> str:
    rows = []
    for (linger, name), runs in results.items():
        cells = [f"{median(values):.2f} ({max(values):.2f})" for values in zip(*runs)]
        rows.append([str(linger), name, *cells])
    return markdown(["linger ms", "", *(f"p{percent:g}" for percent in PERCENTS)], rows)


def aims(results: dict[tuple[int, str], list[list[float]]]) -> str:
    rows = []
    for linger in sorted({linger for linger, _ in results}):
        floor = [median(values) for values in zip(*results[linger, "floor, acked"])]
        line = [median(values) for values in zip(*results[linger, "line, received"])]
        for at, aim in ((0, floor[0] + linger + 1), (1, 2 * floor[1] + linger + 5)):
            met = "met" if line[at] <= aim else "missed"
            rows.append([str(linger), f"p{PERCENTS[at]:g}", f"{line[at]:.2f}", f"<= {aim:.2f}", met])
    return markdown(["linger ms", "line", "measured", "aim", ""], rows)
