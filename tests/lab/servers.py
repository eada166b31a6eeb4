"""The lab's servers for Python: kafka.sh and postgres.sh with a port and a directory of their own."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg

LAB = Path(__file__).resolve().parent


def free_port(count: int = 1) -> int:
    """A loopback port that is free, and so are the count - 1 after it."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
        if port + count <= 65536 and all(_is_free(port + n) for n in range(1, count)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Server:
    script: str

    def __init__(self, state: Path, port: int, variables: dict[str, str]):
        self.state = state
        self.port = port
        self.environment = {**os.environ, **variables}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(LAB / self.script), *arguments], env=self.environment, text=True, capture_output=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.script} {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> str:
        return self.run("start").strip()

    def remove(self, logs: Path) -> None:
        """Removes its directory, which must be stopped, but keeps the logs."""
        logs.mkdir(parents=True, exist_ok=True)
        for log in self.state.glob("*.log*"):
            shutil.copy(log, logs / log.name)
        shutil.rmtree(self.state, ignore_errors=True)


class Kafka(Server):
    script = "kafka.sh"

    def __init__(self, state: Path, heap: str = "384m"):
        port = free_port(2)
        super().__init__(
            state, port, {"KAFKA_STATE": str(state), "KAFKA_PORT": str(port), "KAFKA_HEAP": heap}
        )
        self.bootstrap = f"127.0.0.1:{port}"

    def stop(self) -> None:
        self.run("stop")

    def kill(self) -> None:
        self.run("kill")

    @property
    def pid(self) -> int:
        return int((self.state / "kafka.pid").read_text().split()[0])


class Postgres(Server):
    script = "postgres.sh"

    def __init__(self, state: Path, major: str, conf: str = ""):
        port = free_port()
        super().__init__(
            state,
            port,
            {
                "PG_STATE": str(state),
                "PG_PORT": str(port),
                "PG_MAJOR": major,
                "PG_CONF": conf,
            },
        )
        self.major = major
        self.version = 15 if major == "debian" else int(major)

    def stop(self, mode: str = "fast") -> None:
        self.run("stop", mode)

    def dsn(self, database: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"

    def connect(self, database: str = "postgres", autocommit: bool = True) -> psycopg.Connection:
        return psycopg.connect(self.dsn(database), autocommit=autocommit)

    def execute(self, statement: str, parameters: tuple = (), database: str = "postgres") -> list[tuple]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
