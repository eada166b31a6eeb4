"""A pqcdc process under test: its configuration, its log lines, its HTTP answers, its signals."""

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from lab import processes
from lab.network import Network
from lab.sanitizers import finds_leaks
from lab.servers import free_port
from lab.waiting import patient, wait_until

MIB = 1 << 20
BREAKDOWNS = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)


class Unanswered(Exception):
    """Nobody answered at the HTTP port in time. Inside Worker.wait() that is a "not yet"."""


class Worker:
    """`config` is the configuration as a dict; a free port is chosen when it names none. `prefix` is
    a command that becomes the worker: `prlimit --nofile=20`, or a shell that ends with exec "$@"."""

    def __init__(
        self,
        program: Path,
        directory: Path,
        config: dict,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        network: Network | None = None,
    ):
        """network: the network namespace that it runs in; prefix: a command that runs its command."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        metric = {"address": "127.0.0.1", "port": free_port()} | config["cdc"].get("metric", {})
        self.port = metric["port"]
        config = {**config, "cdc": {**config["cdc"], "metric": metric}}
        self.in_flight_limit_bytes = _bytes(config.get("kafka", {}).get("maxInFlightBytes", "16mb"))
        self.config_file = directory / "config.yaml"
        # JSON is a part of YAML.
        self.config_file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
        self._program = program
        self._command = [*prefix, str(program), "run", "--config", str(self.config_file), *arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._network = network
        self._process: subprocess.Popen | None = None
        self._judged = False

    # The process

    def start(self) -> "Worker":
        self._judged = False
        with open(self._directory / "stdout", "ab") as out, open(self._directory / "stderr", "ab") as err:
            with self._inside():
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._environment
                )
        return self

    def _inside(self) -> AbstractContextManager:
        return self._network.entered() if self._network else nullcontext()

    def adopt(self, process: subprocess.Popen, stderr: Path) -> "Worker":
        """Another program runs this configuration, and says there what it says."""
        self._process = process
        (self._directory / "stderr").symlink_to(stderr)
        return self

    @property
    def process(self) -> subprocess.Popen:
        assert self._process is not None, "the worker was not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def freeze(self) -> None:
        processes.freeze(self.pid)

    def thaw(self) -> None:
        processes.thaw(self.pid)

    def wait_frozen(self, timeout: float = 30) -> None:
        """Until it has frozen itself."""
        self.wait(lambda: processes.stands_still(self.pid), "it is frozen", timeout)

    def wait_exit(self, timeout: float = 30) -> int:
        """Its exit status, which is then the caller's to judge; that of a signal is negative."""
        self._judged = True
        timeout = patient(timeout)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end within {timeout:g} s\n{self._tail()}") from None

    def terminate(self, timeout: float = 30) -> int:
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait_exit()

    def end(self) -> None:
        """Whatever state it is in; for the clean-up after a test."""
        if self.alive():
            self.thaw()
            if finds_leaks(self._program):
                self._leave()
            else:
                self.kill()

    def check_sound(self) -> None:
        """After its end: fails when it broke down, however long ago, and no test was told."""
        if self._judged:
            return
        status = self.process.returncode
        assert -status not in BREAKDOWNS, f"the worker broke down: {status}\n{self._tail()}"

    def _leave(self) -> None:
        """In peace where it can, so that leaks are looked for."""
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(patient(15))
        except subprocess.TimeoutExpired:
            self.kill()

    def resident_mb(self, peak: bool = False) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        name = "VmHWM" if peak else "VmRSS"
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE).group(1)) / 1024

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        """Another command of the program, with this configuration."""
        return subprocess.run(
            [str(self._program), *arguments, "--config", str(self.config_file)],
            capture_output=True,
            text=True,
            timeout=patient(30),
        )

    # What it says

    def stdout(self) -> bytes:
        return (self._directory / "stdout").read_bytes()

    def stderr(self) -> str:
        return (self._directory / "stderr").read_text(errors="replace")

    def logs(self) -> list[dict]:
        """Its log lines so far; a line that is no JSON is {"msg": line}."""
        lines = self.stderr().splitlines()
        return [json.loads(line) if line.startswith("{") else {"msg": line} for line in lines if line]

    def log_text(self) -> str:
        """All values of all log lines, for looking for words wherever they stand."""
        return "\n".join(" ".join(str(value) for value in line.values()) for line in self.logs())

    def find_logs(self, pattern: str) -> list[dict]:
        """The log lines one of whose values matches."""
        return [
            line for line in self.logs() if any(re.search(pattern, str(value)) for value in line.values())
        ]

    def find_log(self, pattern: str) -> dict | None:
        """The first of them."""
        return next(iter(self.find_logs(pattern)), None)

    def last_log(self, pattern: str) -> dict | None:
        return next(reversed(self.find_logs(pattern)), None)

    def wait_log(self, pattern: str, timeout: float = 30) -> dict:
        return self.wait(lambda: self.find_log(pattern), f"a log line that matches {pattern!r}", timeout)

    # HTTP

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """The answer's status and body, or Unanswered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patient(5))
        try:
            with self._inside():
                connection.connect()
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"{method} {path}: {error!r}\n{self._tail()}") from error
        finally:
            connection.close()

    def status(self) -> dict:
        """The body of /status, or Unanswered."""
        return json.loads(self.get("/status")[1])

    def status_if_answered(self) -> dict | None:
        try:
            return self.status()
        except Unanswered:
            return None

    def metrics(self) -> dict[str, float]:
        """Sample name with labels, as it is written -> value."""
        samples = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    # Conditions

    def wait(self, condition: Callable, what: str, timeout: float = 30):
        """Like wait_until, but a worker that ended meanwhile fails at once, and one that does not answer in
        time is asked again; both show its log."""

        def answered():
            try:
                return condition()
            except Unanswered:
                return None

        def probe():
            result = answered()
            if not result and not self.alive():
                result = answered()  # once more: what is waited for may be its last word
                if not result:
                    raise AssertionError(
                        f"the worker ended with {self.process.returncode} before: {what}\n{self._tail()}"
                    )
            return result

        try:
            return wait_until(probe, what, timeout)
        except AssertionError as error:
            if self.alive():
                raise AssertionError(
                    f"{error}\n{self._tail()}\nstatus: {self.status_if_answered()}"
                ) from None
            raise

    def wait_state(self, state: str, timeout: float = 30) -> dict:
        def reached() -> dict | None:
            status = self.status()
            return status if status["state"] == state else None

        return self.wait(reached, f"state {state}", timeout)

    def wait_streaming(self, timeout: float = 30) -> dict:
        return self.wait_state("streaming", timeout)

    def wait_status(self, timeout: float = 30) -> dict:
        """Its next answer."""
        return self.wait(self.status, "an answer to /status", timeout)

    def wait_delivery(self, timeout: float = 60, more: int = 0, beyond: int | None = None) -> None:
        """Waits until more records are acknowledged than are now, or than `beyond`, and than that many more:
        a new producer waits for each partition's first acknowledgement before it sends in batches."""
        acked = (self.wait_status()["records_acked"] if beyond is None else beyond) + more
        self.wait(lambda: self.status()["records_acked"] > acked, "records are acknowledged", timeout)

    def wait_full(self, timeout: float = 60) -> dict:
        """Until it reads no more, since as many bytes are in flight as may be; its status then. That it is
        blocked says less: a new producer is by the first record of a partition."""
        nearly = self.in_flight_limit_bytes * 0.9

        def full() -> dict | None:
            status = self.status()
            held = "outbox" in status["blocked"] and status["in_flight_bytes"] > nearly
            return status if held else None

        return self.wait(full, f"{self.in_flight_limit_bytes} bytes are in flight", timeout)

    def _tail(self) -> str:
        return "last lines of its log:\n" + "\n".join(self.stderr().splitlines()[-15:])


def _bytes(size: str) -> int:
    """As the tests write it: in megabytes."""
    return int(size.removesuffix("mb")) * MIB
