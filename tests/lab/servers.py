"""The lab's servers for Python: kafka.sh and postgres.sh with a port and a directory of their own."""

import os
import random
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from lab import processes
from lab.topics import partitions_of

LAB = Path(__file__).resolve().parent
EPHEMERAL_PORTS = 32768  # Linux gives those from here on to connections: a server that is away loses them


def free_port(count: int = 1) -> int:
    """A loopback port that is free, and so are the count - 1 after it. Below those that the system gives to
    clients: one that tries again and again while the server is away may else be given the server's own."""
    while True:
        port = random.SystemRandom().randrange(10000, EPHEMERAL_PORTS - count)
        if all(_is_free(port + n) for n in range(count)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


# Java compiles once, and does not go on to improve what it compiled: quick to start and frugal.
QUICK_JAVA = "-XX:TieredStopAtLevel=1"


def copy_tree(source: Path, target: Path) -> None:
    """With owners and modes, which shutil does not keep."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


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

    def runs(self) -> bool:
        try:
            self.run("status")
        except RuntimeError:
            return False
        return True

    def remove(self, logs: Path) -> None:
        """Removes its directory, which must be stopped, but keeps the logs."""
        logs.mkdir(parents=True, exist_ok=True)
        for log in self.state.glob("*.log*"):
            shutil.copy(log, logs / log.name)
        shutil.rmtree(self.state, ignore_errors=True)


class Kafka(Server):
    """One broker. Who connects to proxied_bootstrap must be led there by a proxy, which listens on
    proxy_port and forwards to proxied_port."""

    script = "kafka.sh"

    def __init__(
        self,
        state: Path,
        heap: str = "384m",
        conf: str = "",
        java: str = QUICK_JAVA,
        host: str = "127.0.0.1",
        **variables: str,
    ):
        port = free_port(4)
        self.proxied_port, self.proxy_port = port + 2, port + 3
        super().__init__(
            state,
            port,
            {
                "KAFKA_STATE": str(state),
                "KAFKA_PORT": str(port),
                "KAFKA_HOST": host,
                "KAFKA_PROXY": str(self.proxy_port),
                "KAFKA_HEAP": heap,
                "KAFKA_CONF": conf,
                "KAFKA_JAVA": java,
                **variables,
            },
        )
        self.bootstrap = f"{host}:{port}"
        self.proxied_bootstrap = f"{host}:{self.proxy_port}"

    def stop(self) -> None:
        self.run("stop")

    def kill(self) -> None:
        self.run("kill")

    def freeze(self) -> None:
        processes.freeze(self.pid)

    def thaw(self) -> None:
        processes.thaw(self.pid)

    def frozen(self) -> AbstractContextManager[None]:
        return processes.frozen(self.pid)

    def mend(self) -> None:
        """Whatever was done to it: it runs."""
        if self.runs():
            self.thaw()
        else:
            self.start()

    @property
    def pid(self) -> int:
        return int((self.state / "kafka.pid").read_text().split()[0])


class GuardedKafka(Kafka):
    """A broker that asks who is there: USER may log in, and may do nothing until it is allowed to.
    Who comes by `bootstrap` may do everything."""

    USER, PASSWORD = "pqcdc", "guarded"
    CONF = (
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
        "super.users=User:ANONYMOUS\n"
        "sasl.enabled.mechanisms=PLAIN\n"
        "listener.name.proxied.plain.sasl.jaas.config="
        f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    )

    def __init__(self, state: Path):
        super().__init__(state, "256m", self.CONF, KAFKA_PROXIED="SASL_PLAINTEXT")
        self.environment["KAFKA_PROXY"] = str(self.proxied_port)  # no proxy: it is there itself

    def client(self) -> dict:
        """The section kafka of who must log in."""
        return {
            "brokers": [f"127.0.0.1:{self.proxied_port}"],
            "properties": {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": self.USER,
                "sasl.password": self.PASSWORD,
            },
        }


class ScramKafka(Kafka):
    """A broker of which who comes by `guarded` must log in, with a password that may change."""

    CONF = (
        "sasl.enabled.mechanisms=SCRAM-SHA-256\n"
        "listener.name.proxied.scram-sha-256.sasl.jaas.config="
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    )

    def __init__(self, state: Path, host: str):
        super().__init__(state, conf=self.CONF, host=host, KAFKA_PROXIED="SASL_PLAINTEXT")
        self.environment["KAFKA_PROXY"] = str(self.proxied_port)  # no proxy: it is there itself
        self.guarded = f"{host}:{self.proxied_port}"

    def set_password(self, user: str, password: str) -> None:
        """For who logs in from now on."""
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})
        change = UserScramCredentialUpsertion(user, how, password.encode())
        admin.alter_user_scram_credentials([change])[user].result(timeout=30)


class MockBroker:
    """librdkafka's emulation of a broker, which answers with errors that are asked for."""

    def __init__(self, topic: str):
        built = subprocess.run(
            [LAB / "tools/build.sh", "mock_broker"], stdout=subprocess.PIPE, text=True, check=True
        )
        self._process = subprocess.Popen(
            [built.stdout.strip(), topic], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "MockBroker":
        self.bootstrap = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def fail_next(self, *codes: int) -> None:
        """The next produce requests are answered with these errors."""
        for code in codes:
            self._process.stdin.write(f"{code}\n")
        self._process.stdin.flush()


class KafkaCluster:
    """Three brokers; each partition is on all of them, and two must be in sync. `brokers` by id."""

    # A broker that died, or that stands still, is noticed within seconds.
    CONF = (
        "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\nreplica.lag.time.max.ms=3000"
    )

    def __init__(self, state: Path):
        self.brokers = {
            node: Kafka(state / f"broker-{node}", "256m", self.CONF, KAFKA_NODE=str(node))
            for node in (1, 2, 3)
        }
        voters = ",".join(f"{node}@127.0.0.1:{broker.port + 1}" for node, broker in self.brokers.items())
        for broker in self.brokers.values():
            broker.environment["KAFKA_VOTERS"] = voters
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers.values())

    def start(self) -> None:
        self._each(Kafka.start)  # none is ready before a majority runs

    def stop(self) -> None:
        self._each(Kafka.stop)

    def mend(self) -> None:
        """Whatever was done to them: all of them run again."""
        self._each(Kafka.mend)

    def _each(self, action) -> None:
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(action, self.brokers.values()))

    def remove(self, logs: Path) -> None:
        for node, broker in self.brokers.items():
            broker.remove(logs / f"broker-{node}")

    def leader(self, topic: str, partition: int = 0) -> int:
        """The id of the broker that leads it; -1: none."""
        return partitions_of(self.bootstrap, topic)[partition].leader

    def whole(self) -> bool:
        """Every partition of every topic has a leader and all its replicas in sync."""
        topics = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2}).list_topics(timeout=30)
        return all(
            partition.leader != -1 and len(partition.isrs) == len(partition.replicas)
            for topic in topics.topics.values()
            for partition in topic.partitions.values()
        )

    def in_sync(self, topic: str, partition: int = 0) -> set[int]:
        return set(partitions_of(self.bootstrap, topic)[partition].isrs)


class Postgres(Server):
    script = "postgres.sh"

    def __init__(self, state: Path, major: str, conf: str = "", host: str = "127.0.0.1"):
        """host: where it is reached; it listens on loopback too."""
        port = free_port()
        super().__init__(
            state,
            port,
            {
                "PG_STATE": str(state),
                "PG_PORT": str(port),
                "PG_MAJOR": major,
                "PG_CONF": conf,
                "PG_HOST": "" if host == "127.0.0.1" else host,
            },
        )
        self.host = host
        self.major = major
        self.version = 15 if major == "debian" else int(major)

    def stop(self, mode: str = "fast") -> None:
        self.run("stop", mode)

    @property
    def data(self) -> Path:
        return self.state / "data"

    def configure(self, conf: str) -> None:
        """More lines for postgresql.conf, which win over those before; they count from the next start."""
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"\n{conf}\n")

    def standby(self, state: Path, conf: str = "") -> "Postgres":
        """A standby of this server on a port of its own, made of a cold copy, which unlike a base
        backup has the replication slots. This server must be stopped."""
        twin = Postgres(state, self.major)
        copy_tree(self.data, twin.data)
        twin.configure(
            f"port = {twin.port}\nunix_socket_directories = '{state}/run'\n"
            f"primary_conninfo = '{self.dsn()}'\n{conf}"
        )
        (twin.data / "standby.signal").touch()
        return twin

    def promote(self) -> None:
        assert self.execute("select pg_promote()") == [(True,)]

    def wal_lsn(self) -> str:
        """Where its WAL ends: what was written, or on a standby replayed."""
        (row,) = self.execute(
            "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()"
            " else pg_current_wal_flush_lsn() end"
        )
        return row[0]

    def save(self) -> Path:
        """Puts the data of this server, which must be stopped, aside for restore()."""
        saved = self.state / "saved"
        copy_tree(self.data, saved)
        return saved

    def restore(self, saved: Path) -> None:
        shutil.rmtree(self.data)
        saved.rename(self.data)

    def dsn(self, database: str = "postgres") -> str:
        return f"host={self.host} port={self.port} user=postgres dbname={database}"

    def connect(self, database: str = "postgres", autocommit: bool = True) -> psycopg.Connection:
        return psycopg.connect(self.dsn(database), autocommit=autocommit)

    def execute(self, statement: str, parameters: tuple = (), database: str = "postgres") -> list[tuple]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
