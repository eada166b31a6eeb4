#!/usr/bin/env python
"""Records what walsenders send: tests/data/copydata-<major>.txt, one CopyData message in hex digits a line.

    cd tests && python -m lab.record [MAJOR...]        (14 to 18)

The changes are those of tests/data/pgoutput.sql. tests/fuzz/corpora.py makes corpora of the recordings.
"""

import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import pq

from lab.servers import Postgres

DATA = Path(__file__).resolve().parents[1] / "data"
SCRIPT = DATA / "pgoutput.sql"
MAJORS = ("14", "15", "16", "17", "18")
DATABASE = "recorded"


def parse_lsn(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def copy_data(
    dsn: str, slot: str, publications: str, until: int, messages: bool = True
) -> Iterator[bytes]:
    """Every CopyData message of a slot's stream, up to the keepalive that passes the position `until`."""
    connection = pq.PGconn.connect(f"{dsn} replication=database".encode())
    try:
        names = publications.replace("'", "''")
        options = f"proto_version '1', publication_names '{names}', messages '{str(messages).lower()}'"
        command = f'START_REPLICATION SLOT "{slot}" LOGICAL 0/0 ({options})'
        result = connection.exec_(command.encode())
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise RuntimeError(f"{command}: {result.error_message.decode()}")
        while True:
            size, data = connection.get_copy_data(0)
            if size < 0:
                raise RuntimeError(f"the stream ended: {connection.error_message.decode()}")
            message = bytes(data)
            yield message
            if message[:1] == b"k" and struct.unpack(">Q", message[1:9])[0] >= until:
                return
    finally:
        connection.finish()


def record(server: Postgres) -> list[bytes]:
    server.execute(f"create database {DATABASE}")
    publications = server.run(
        "psql", "-d", DATABASE, "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "keep=1", "-f", str(SCRIPT)
    ).strip()
    until = parse_lsn(server.execute("select pg_current_wal_insert_lsn()")[0][0])
    return list(copy_data(server.dsn(DATABASE), "recorder", publications, until))


def main(majors: list[str]) -> None:
    for major in majors or MAJORS:
        with tempfile.TemporaryDirectory(prefix="pqcdc-record.", ignore_cleanup_errors=True) as state:
            Path(state).chmod(0o755)
            server = Postgres(Path(state) / "postgres", major)
            server.start()
            try:
                messages = record(server)
                version = server.execute("show server_version")[0][0]
            finally:
                server.stop()
        file = DATA / f"copydata-{major}.txt"
        lines = [f"# PostgreSQL {version}", *(message.hex() for message in messages)]
        file.write_text("\n".join(lines) + "\n", encoding="ascii")
        print(f"{file.name}: {len(messages)} messages of PostgreSQL {version}")


if __name__ == "__main__":
    main(sys.argv[1:])
