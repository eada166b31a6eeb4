"""Figures: of processes, of runs, and as text."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass
class Figures:
    """CPU in seconds; None: there is no such process or it was not looked at."""

    rows: int
    seconds: float
    cpu: float
    rss_mb: float
    walsender_cpu: float | None = None
    other_cores: float | None = None  # kept busy by what is not measured
    segments: float | None = None  # of TCP on the whole machine, for each row
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


def tcp_segments() -> int:
    """That this machine (of this network namespace) has sent so far."""
    names, values = [line for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")]
    return int(values.split()[names.split().index("OutSegs")])


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {name} of process {pid}")


def rss_mb(pid: int) -> float:
    return _memory_mb(pid, "VmRSS")


def peak_rss_mb(pid: int) -> float:
    return _memory_mb(pid, "VmHWM")


def lsn_number(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent are not above."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def spread(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{median(known):,.{digits}f} ({min(known):,.{digits}f}..{max(known):,.{digits}f})"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    model = next(
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}"


def busy_cpu_seconds() -> float:
    """Of the whole machine, since it started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
