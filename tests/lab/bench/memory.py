"""scripts/bench memory: the worker's memory in a large run, and while Kafka is away.

The broker is killed when a tenth of the rows is through. Everything else is committed already, so the
worker holds as much as it ever will. Afterwards the topic must be exact.
"""

import argparse
import time
from pathlib import Path

from lab.bench.bounds import TIMEOUT_SECONDS, Bounds
from lab.bench.measure import machine, markdown, peak_rss_mb, rss_mb, spread
from lab.bench.workloads import WORKLOADS
from lab.servers import Kafka, Postgres
from lab.waiting import wait_until

AIM_MB = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workload", choices=WORKLOADS, default="users")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, help="instead of the workload's own number")
    parser.add_argument("--outage", type=int, default=60, help="seconds")
    parser.add_argument("--linger", type=int, default=5)


def run(options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path) -> int:
    workload = WORKLOADS[options.workload]
    rows = options.rows or workload.rows
    bounds = Bounds(
        workload, rows, "live", options.linger, (options.program, options.ceiling), servers, directory
    )
    peaks: list[float] = []
    held: list[float] = []
    highest: list[float] = []
    contents: set[str] = set()
    for number in range(1, options.runs + 1):
        figures = bounds.line()
        after, peak, content = outage(bounds, options.outage)
        peaks.append(figures.rss_mb)
        held.append(after)
        highest.append(peak)
        contents |= {figures.content, content}
        print(
            f"run {number} of {options.runs}: peak {figures.rss_mb:.1f} MB; after {options.outage} s without "
            f"Kafka {after:.1f} MB, its peak {peak:.1f} MB; topic {content}",
            flush=True,
        )
    rows_of = {
        "peak of a run": peaks,
        f"after {options.outage} s without Kafka": held,
        "peak of a run with that outage": highest,
    }
    print(
        f"\n{machine()}; {options.versions}\n{options.workload}: {workload.about}; {rows:,} rows; linger "
        f"{options.linger} ms, no headers; {options.runs} runs, median (min..max); topics {', '.join(sorted(contents))}\n\n"
        + markdown(
            ["RSS MB", "measured", "aim", ""],
            [
                [name, spread(values, 1), f"<= {AIM_MB}", "met" if max(values) <= AIM_MB else "missed"]
                for name, values in rows_of.items()
            ],
        )
    )
    return 0 if contents == {"exact"} else 1


def outage(bounds: Bounds, seconds: int) -> tuple[float, float, str]:
    """RSS at its end, the peak until all is delivered, and what the topic holds then."""
    scenario = bounds.scenario()
    try:
        pid = bounds.start_worker(scenario)
        worker = scenario.workers[0]
        worker.wait_streaming()
        bounds.load(scenario)
        worker.wait(lambda: worker.status()["records_acked"] >= bounds.rows // 10, "a tenth is through", 120)
        bounds.kafka.kill()
        assert worker.status()["records_acked"] < bounds.rows, "all was through before the outage"
        worker.wait_full()
        time.sleep(seconds)  # how long the outage lasts
        after = rss_mb(pid)
        bounds.kafka.start()
        wait_until(
            lambda: scenario.reader.count(scenario.topic) >= bounds.rows, "all is through", TIMEOUT_SECONDS
        )
        return after, peak_rss_mb(pid), bounds.compare(scenario, scenario.topic, None)
    finally:
        scenario.close()
