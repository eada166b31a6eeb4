"""Nobody takes the log lines: the line goes on, counts what was dropped, and says so afterwards."""

import json
import os
import subprocess

import pytest

NOTICE = "log lines could not be written"


def logging_to(file) -> list[str]:
    """A prefix for standard error."""
    return ["sh", "-c", 'file=$1; shift; exec "$@" 2>>"$file"', "sh", str(file)]


def dropped(worker) -> float:
    return worker.metrics()["pqcdc_log_dropped_total"]


def make_it_talk(line, worker) -> None:
    """A stream that the server ends is worth some lines."""
    starts = worker.metrics()["pqcdc_stream_starts_total"]
    line.terminate_walsender()
    worker.wait(lambda: worker.metrics()["pqcdc_stream_starts_total"] > starts, "it streams again")


def lose_lines(line, worker) -> float:
    """Under load; how many were lost in all."""
    with line.writers():
        worker.wait_delivery()
        before = dropped(worker)
        make_it_talk(line, worker)
        assert dropped(worker) > before, "proved nothing: its lines were taken"
        worker.wait_delivery()
        assert worker.get("/livez")[0] == worker.get("/readyz")[0] == 200
    return dropped(worker)


def fill_pipe(fd: int) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            os.write(fd, b"x" * 4095 + b"\n")


def read_pipe(fd: int) -> str:
    parts = []
    try:
        while True:
            parts.append(os.read(fd, 65536))
    except BlockingIOError:
        return b"".join(parts).decode()


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "log"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    yield path, fd
    os.close(fd)


@pytest.mark.sanitize("thread")
def test_a_pipe_that_nobody_reads(line, acquit, say, pipe):
    path, fd = pipe
    fill_pipe(fd)
    worker = line.streaming(prefix=logging_to(path))
    lost = lose_lines(line, worker)
    assert "{" not in read_pipe(fd), "no line came through"

    make_it_talk(line, worker)
    notice = json.loads(read_pipe(fd).splitlines()[0])
    assert (notice["level"], notice["msg"]) == ("WARN", NOTICE)
    assert notice["dropped"] == notice["dropped_total"] == lost == dropped(worker)
    say(f"{lost:g} lines were dropped and told of later")

    fill_pipe(fd)
    line.scenario.settle(worker)
    acquit(line)
    assert worker.terminate(10) == 0


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, text=True
    )
    assert done.returncode == 0, f"a file system of 64 KiB cannot be mounted (needs root): {done.stderr}"
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.sanitize("address")
def test_the_disk_of_the_log_is_full(line, acquit, say, small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 60 * 1024)
    log = small_disk / "log"
    log.write_text('{"level": "INFO", "msg": "of before"}\n' * 100)
    worker = line.streaming(prefix=logging_to(log))
    lost = lose_lines(line, worker)
    filler.unlink()
    make_it_talk(line, worker)

    lines = log.read_text().splitlines()
    torn = [text for text in lines if not text.endswith("}")]
    notices = [json.loads(text) for text in lines if NOTICE in text]
    say(f"{lost:g} lines were dropped, {len(torn)} of them cut by the end of the disk")
    assert len(torn) <= 1 and len(notices) == 1
    assert notices[0]["dropped"] == lost == dropped(worker)
    for text in lines:
        assert text in torn or json.loads(text)["level"], "a line that was cut spoils no other"
    line.scenario.settle(worker)
    acquit(line)


def test_every_line_fails(line, acquit):
    worker = line.streaming(prefix=logging_to("/dev/full"))
    lose_lines(line, worker)
    line.scenario.settle(worker)
    acquit(line)
    assert worker.terminate(10) == 0
