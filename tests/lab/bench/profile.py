"""scripts/bench profile: where the worker's CPU time goes, by perf's samples of one run of the line."""

import argparse
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.bench.bounds import Bounds
from lab.bench.flame import Frame, svg
from lab.bench.measure import machine, markdown
from lab.bench.workloads import WORKLOADS
from lab.scenario import Scenario
from lab.servers import Kafka, Postgres

SAMPLES_PER_SECOND = 997  # no multiple of what a timer does
STACK_BYTES = 8192
SHOWN_OWNERS = 16
OWNERS = (
    (r"pqcdc", "pqcdc"),
    (r"librdkafka", "librdkafka"),
    (r"libpq\.", "libpq"),
    (r"libc\.|libm\.|ld-linux|\[vdso\]", "libc"),
    (r"\[kernel|\[guest|\.ko", "kernel"),
)
EVERYWHERE = {"clone3", "start_thread", "entry_SYSCALL_64_after_hwframe", "do_syscall_64"}
# The steps of the line by the function that each of them is entered through, innermost first.
STEPS = (
    ("read the socket", ("wal_stream_fill", "read_socket")),
    ("take a message out of libpq", ("wal_stream_next",)),
    ("decode", ("pgoutput_decode",)),
    ("handle, encode", ("handler_builtin_prepare", "on_change", "emit_row", "encode")),
    ("hand to librdkafka", ("producer_send", "plain_send", "delivery_send")),
    ("delivery reports, tracking", ("plain_next", "delivery_next", "report", "ack_tracker_done")),
    ("confirm", ("confirm", "wal_stream_tick")),
    ("wait: poll() and timers", ("loop_turn",)),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workload", choices=WORKLOADS, default="users")
    parser.add_argument("--rows", type=int, help="instead of the workload's own number")
    parser.add_argument("--linger", type=int, default=5)
    parser.add_argument("--svg", type=Path, default=Path("docs/flame-line.svg"))


def run(options: argparse.Namespace, servers: tuple[Postgres, Kafka], directory: Path) -> int:
    workload = WORKLOADS[options.workload]
    rows = options.rows or workload.rows
    programs = (options.program, options.ceiling)
    bounds = ProfiledBounds(workload, rows, "live", options.linger, programs, servers, directory)
    bounds.kafka_alone(rows)
    figures = bounds.line()
    stacks = Counter(read_stacks(bounds.samples()))
    options.svg.write_text(svg(stacks, f"pqcdc, the line, workload {options.workload}: CPU time by thread"))
    print(
        f"{machine()}; {options.versions}\n{options.workload}: {workload.about}; {rows:,} rows, topic "
        f"{figures.content}; {figures.cpu_per_million:.2f} CPU-s / M rows with perf; "
        f"{stacks.total():,} samples; {options.svg}\n\n{owners(stacks)}\n\n{steps(stacks)}"
    )
    return 0 if figures.content == "exact" else 1


class ProfiledBounds(Bounds):
    """perf looks at the worker while it streams."""

    def load(self, scenario: Scenario) -> int:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "perf.data"
        self.perf = subprocess.Popen(
            [
                *("perf", "record", "--quiet", "--event=cpu-clock"),
                *(f"--freq={SAMPLES_PER_SECOND}", f"--call-graph=dwarf,{STACK_BYTES}"),
                *(f"--pid={scenario.workers[0].pid}", f"--output={self.data}"),
            ]
        )
        return super().load(scenario)

    def compare(self, *arguments) -> str:
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()
        return super().compare(*arguments)

    def samples(self) -> str:
        command = ["perf", "script", "--no-inline", "--fields=comm,ip,sym,dso", f"--input={self.data}"]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def read_stacks(text: str) -> Iterator[tuple[Frame, ...]]:
    """perf script's samples: the thread's name, then a line a frame from the leaf on."""
    for sample in text.split("\n\n"):
        lines = [line for line in sample.splitlines() if line.strip()]
        if not lines:
            continue
        thread = Frame(re.sub(r"\d+$", "", lines[0].strip()), "other")
        frames = (frame_of(line) for line in reversed(lines[1:]))
        yield (thread, *merged(frame for frame in frames if frame and frame.name not in EVERYWHERE))


def frame_of(line: str) -> Frame | None:
    match = re.fullmatch(r"\s*[0-9a-f]+ (.*) \((.*)\)", line)
    if match is None or match.group(2) == "[unknown]":
        return None
    name, library = match.groups()
    owner = next((owner for pattern, owner in OWNERS if re.search(pattern, library)), "other")
    name = re.sub(r"(@@.*|\.(isra|part|constprop|cold).*|\+0x[0-9a-f]+)$", "", name)
    return Frame(name if name != "[unknown]" else f"({owner})", owner)


def merged(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Functions of a library that has no symbols are one frame."""
    last = None
    for frame in frames:
        if frame != last or not frame.name.startswith("("):
            yield frame
        last = frame


def owners(stacks: Counter[tuple[Frame, ...]]) -> str:
    shares: Counter[tuple[str, str]] = Counter()
    for stack, samples in stacks.items():
        shares[stack[0].name, stack[-1].owner] += samples
    rows = [
        [thread, owner, f"{100 * samples / stacks.total():.1f} %"]
        for (thread, owner), samples in shares.most_common(SHOWN_OWNERS)
    ]
    return markdown(["thread", "whose code", "share"], rows)


def steps(stacks: Counter[tuple[Frame, ...]]) -> str:
    shares: Counter[str] = Counter()
    for stack, samples in stacks.items():
        if stack[0].name == "pipeline":
            shares[step_of(stack)] += samples
    rows = [[step, f"{100 * samples / stacks.total():.1f} %"] for step, samples in shares.most_common()]
    return markdown(["step of the pipeline's thread", "share"], rows)


def step_of(stack: tuple[Frame, ...]) -> str:
    names = {frame.name for frame in stack}
    return next((step for step, functions in STEPS if not names.isdisjoint(functions)), "the rest")
