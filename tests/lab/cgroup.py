"""A control group that limits the memory of the process that is put into it."""

import os
from pathlib import Path

from lab.waiting import wait_until

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


class MemoryGroup:
    """Made at once; remove() when its processes are gone."""

    def __init__(self, name: str, limit_bytes: int):
        self.limit_bytes = limit_bytes
        self.old = (V1 / "memory.limit_in_bytes").exists()
        self.directory = (V1 if self.old else V2) / name
        try:
            if not self.old:
                (V2 / "cgroup.subtree_control").write_text("+memory")
            self.directory.mkdir()
            self._write("memory.limit_in_bytes" if self.old else "memory.max", limit_bytes)
            if not self.old:
                self._write("memory.swap.max", 0)
        except OSError as error:
            raise AssertionError(
                f"no memory control group can be made here ({error}): this test needs root, and cgroup v1's "
                f"memory controller at {V1} or cgroup v2's at {V2}"
            ) from None

    def _write(self, file: str, value: int) -> None:
        (self.directory / file).write_text(str(value))

    def _read(self, file: str) -> str:
        return (self.directory / file).read_text()

    @property
    def prefix(self) -> list[str]:
        """For a worker that shall live in it."""
        return ["sh", "-c", 'echo $$ >"$1" && shift && exec "$@"', "sh", str(self.directory / "cgroup.procs")]

    @property
    def peak_bytes(self) -> int:
        """Page cache and the kernel's share (sockets) among it."""
        return int(self._read("memory.max_usage_in_bytes" if self.old else "memory.peak"))

    @property
    def kills(self) -> int:
        text = self._read("memory.oom_control" if self.old else "memory.events")
        return int(dict(row.split() for row in text.splitlines()).get("oom_kill", 0))

    def remove(self) -> None:
        wait_until(lambda: not self._read("cgroup.procs"), f"{self.directory} is empty")
        os.rmdir(self.directory)


def resident_bytes(pid: int) -> tuple[int, int]:
    """Resident set size of a process: now, and at its peak."""
    rows = dict(row.split(":", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines())
    return tuple(int(rows[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
