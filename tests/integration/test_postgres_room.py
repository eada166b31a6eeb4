"""Room postgres on a real server: the C programs of tests/integration/postgres."""

import os
import subprocess

import pytest

from conftest import ROOT
from lab.servers import Postgres

PROGRAMS = sorted(path.stem.removesuffix("_test") for path in (ROOT / "tests/integration/postgres").glob("*_test.c"))


@pytest.fixture(scope="module")
def room_postgres(pg_major, state, logs):
    """They change pg_hba.conf and break connections: a server of their own, as it comes."""
    server = Postgres(state / f"postgres-room-{pg_major}", pg_major)
    server.start()
    yield server
    server.stop()
    server.remove(logs / f"postgres-room-{pg_major}")


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, room_postgres, program):
    path = program.parent.parent / "tests" / f"integration_postgres_{name}"
    environment = {**os.environ, "PQCDC_TEST_PG_PORT": str(room_postgres.port)}
    done = subprocess.run([path], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert "[  PASSED  ]" in done.stdout + done.stderr


def test_they_fail_without_a_server(program):
    for name in PROGRAMS:
        path = program.parent.parent / "tests" / f"integration_postgres_{name}"
        environment = {key: value for key, value in os.environ.items() if key != "PQCDC_TEST_PG_PORT"}
        assert subprocess.run([path], env=environment, capture_output=True, timeout=60).returncode != 0, name
