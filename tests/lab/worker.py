"""A pqcdc process under test: its configuration, its log lines, its HTTP answers, its signals."""

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.servers import free_port
from lab.waiting import wait_until


class Worker:
    """`config` is the configuration as a dict; a free port is chosen when it names none."""

    def __init__(
        self,
        program: Path,
        directory: Path,
        config: dict,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        metric = {"address": "127.0.0.1", "port": free_port()} | config["cdc"].get("metric", {})
        self.port = metric["port"]
        config = {**config, "cdc": {**config["cdc"], "metric": metric}}
        self.config_file = directory / "config.yaml"
        # JSON is a part of YAML.
        self.config_file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
        self._command = [str(program), "run", "--config", str(self.config_file), *arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen | None = None

    # The process

    def start(self) -> "Worker":
        with open(self._directory / "stdout", "ab") as out, open(self._directory / "stderr", "ab") as err:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._environment
            )
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

    def wait_exit(self, timeout: float = 30) -> int:
        """Its exit status; that of a signal is negative."""
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
            self.signal(signal.SIGCONT)
            self.kill()

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

    def find_log(self, pattern: str) -> dict | None:
        """The first log line one of whose values matches."""
        for line in self.logs():
            if any(re.search(pattern, str(value)) for value in line.values()):
                return line
        return None

    def wait_log(self, pattern: str, timeout: float = 30) -> dict:
        return self.wait(lambda: self.find_log(pattern), f"a log line that matches {pattern!r}", timeout)

    # HTTP

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def status(self) -> dict:
        """The body of /status, or {} while nobody answers."""
        try:
            return json.loads(self.get("/status")[1])
        except OSError:
            return {}

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
        """Like wait_until, but a worker that ended meanwhile fails at once; both show its log."""

        def probe():
            result = condition()
            if not result and not self.alive():
                result = condition()  # once more: what is waited for may be its last word
                if not result:
                    raise AssertionError(
                        f"the worker ended with {self.process.returncode} before: {what}\n{self._tail()}"
                    )
            return result

        try:
            return wait_until(probe, what, timeout)
        except AssertionError as error:
            if self.alive():
                raise AssertionError(f"{error}\n{self._tail()}\nstatus: {self.status()}") from None
            raise

    def wait_state(self, state: str, timeout: float = 30) -> dict:
        def reached() -> dict | None:
            status = self.status()
            return status if status.get("state") == state else None

        return self.wait(reached, f"state {state}", timeout)

    def wait_streaming(self, timeout: float = 30) -> dict:
        return self.wait_state("streaming", timeout)

    def _tail(self) -> str:
        return "last lines of its log:\n" + "\n".join(self.stderr().splitlines()[-15:])
