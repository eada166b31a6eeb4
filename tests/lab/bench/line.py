"""scripts/bench line: the line beside its bounds, in turns."""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median

from lab.bench.bounds import Bounds
from lab.bench.measure import Figures, machine, markdown, spread
from lab.bench.workloads import WORKLOADS, Workload
from lab.servers import Kafka, Postgres

MODES = {
    "live": "the last COMMIT, the reader being there",
    "backlog": "the start of the reader, the rows being there",
}
WARM_UP_ROWS = 3_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workload", choices=WORKLOADS, default="users")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, help="instead of the workload's own number")
    parser.add_argument("--mode", choices=MODES, help="instead of the workload's own")
    parser.add_argument("--linger", type=int, default=5)
    parser.add_argument("--work-mem", help="logical_decoding_work_mem of all readers but D, such as 512MB")
    parser.add_argument("--socket", choices=["tcp", "unix"], default="tcp", help="to PostgreSQL")
    parser.add_argument("--with", dest="peers", choices=["debezium"], action="append", default=[])


def run(options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path) -> int:
    workload = WORKLOADS[options.workload]
    rows = options.rows or workload.rows
    mode = options.mode or workload.mode
    programs = (options.program, options.ceiling)
    bounds = Bounds(
        *(workload, rows, mode, options.linger, programs, servers, directory),
        work_mem=options.work_mem,
        unix=options.socket == "unix",
    )
    print(f"warming the broker with {WARM_UP_ROWS:,} records", flush=True)
    bounds.kafka_alone(WARM_UP_ROWS)
    parts: dict[str, Callable[[], Figures]] = {
        "R": bounds.reader_alone,
        "K": bounds.kafka_alone,
        "line": bounds.line,
        "P": bounds.recvlogical,
    }
    if "debezium" in options.peers:
        parts["D"] = bounds.debezium
    results = take_turns(parts, options.runs)
    print(
        f"\n{machine()}; {options.versions}\n"
        f"{options.workload}: {workload.about}; {rows:,} rows, timed from {MODES[mode]}; "
        f"{options.runs} runs in turns, median (min..max); {others(results)}\n"
        f"PostgreSQL by {'TCP on loopback' if options.socket == 'tcp' else 'its Unix socket'}; "
        f"logical_decoding_work_mem {options.work_mem or 'as the server has it (64 MB)'}; "
        f"linger {options.linger} ms, acks=all, idempotent, no compression, no headers, 1 partition; "
        f"a record: {len(workload.value)} bytes or a few more\n\n{table(results)}\n\n{ratios(results)}"
    )
    return 0 if all(f.content in ("", "exact") for figures in results.values() for f in figures) else 1


def take_turns(parts: dict[str, Callable[[], Figures]], runs: int) -> dict[str, list[Figures]]:
    results: dict[str, list[Figures]] = {name: [] for name in parts}
    for number in range(1, runs + 1):
        for name, measure in parts.items():
            figures = measure()
            results[name].append(figures)
            print(
                f"run {number} of {runs}, {name}: {figures.rate:,.0f} rows/s, "
                f"{figures.cpu_per_million:.2f} CPU-s/M rows, {figures.rss_mb:.1f} MB {figures.content}",
                flush=True,
            )
    return results


def others(results: dict[str, list[Figures]]) -> str:
    cores = [f.other_cores for figures in results.values() for f in figures if f.other_cores is not None]
    return f"other work of the machine: {spread(cores, 2)} cores"


def table(results: dict[str, list[Figures]]) -> str:
    heads = ["", "rows/s", "CPU-s / M rows", "peak RSS MB", "walsender CPU-s / M rows", "TCP segments / row", "topic"]
    rows = []
    for name, runs in results.items():
        content = sorted({figures.content[:40] for figures in runs if figures.content})
        rows.append(
            [
                name,
                spread([figures.rate for figures in runs], 0),
                spread([figures.cpu_per_million for figures in runs], 2),
                spread([figures.rss_mb for figures in runs], 1),
                spread([figures.walsender_per_million for figures in runs], 2),
                spread([figures.segments for figures in runs], 2),
                ", ".join(content) or "-",
            ]
        )
    return markdown(heads, rows)


def ratios(results: dict[str, list[Figures]]) -> str:
    rate = {name: median(f.rate for f in runs) for name, runs in results.items()}
    cpu = {name: median(f.cpu_per_million for f in runs) for name, runs in results.items()}
    aims = [
        ("line / min(R, K)", rate["line"] / min(rate["R"], rate["K"]), ">= 0.80"),
        ("line / P", rate["line"] / rate["P"], ">= 1.50"),
        ("CPU-s of line - CPU-s of K", cpu["line"] - cpu["K"], "<= 0.40"),
        ("peak RSS of line, MB", max(f.rss_mb for f in results["line"]), "<= 40.00"),
    ]
    return markdown(
        ["", "measured", "aim", ""],
        [[name, f"{value:.2f}", aim, "met" if meets(value, aim) else "missed"] for name, value, aim in aims],
    )


def meets(value: float, aim: str) -> bool:
    relation, bound = aim.split()
    return value >= float(bound) if relation == ">=" else value <= float(bound)
