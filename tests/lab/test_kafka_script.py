"""kafka.sh by hand: what it refuses, and what it says then. No broker is started."""

import os
import socket
import subprocess

import pytest

from lab.servers import LAB, free_port

UNAVAILABLE = 69
USAGE = 64


@pytest.fixture
def kafka(tmp_path):
    port = free_port(2)

    def run(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "KAFKA_STATE": str(tmp_path / "kafka"), "KAFKA_PORT": str(port)}
        command = [str(LAB / "kafka.sh"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    run.port = port
    run.state = tmp_path / "kafka"
    return run


@pytest.mark.parametrize("offset", [0, 1])
def test_start_names_the_port_that_is_taken(kafka, offset):
    with socket.create_server(("127.0.0.1", kafka.port + offset)):
        status, said = kafka("start")
    assert status == UNAVAILABLE
    assert f"port {kafka.port + offset} is taken" in said
    assert f"KAFKA_PORT={kafka.port} and the next one, {kafka.port + 1}" in said
    assert not kafka.state.exists(), "nothing was begun"


def test_topic_is_not_for_somebody_elses_broker(kafka):
    with socket.create_server(("127.0.0.1", kafka.port)) as listener:
        assert kafka("topic", "users") == (
            UNAVAILABLE,
            f"kafka.sh: Apache Kafka does not run in {kafka.state}; start it first\n",
        )
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody tried


def test_topic_needs_a_name(kafka):
    status, said = kafka("topic")
    assert status == USAGE
    assert "needs a name" in said
