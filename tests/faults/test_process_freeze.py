"""A worker that is frozen for longer than PostgreSQL waits for it, and wakes up again."""

import time

import pytest

from lab.line import NARROW
from lab.waiting import wait_until

PATIENCE_SECONDS = 3
SOON = {"walSenderTimeout": f"{PATIENCE_SECONDS}s"}
# Records a request, of which five are on the wire at most.
BATCH, REQUESTS = 100, 5


@pytest.mark.sanitize("thread")
def test_frozen_alone(line, acquit, full, impact):
    freezes = 5 if full else 1
    worker = line.streaming(cdc=SOON)
    with line.writers():
        for _ in range(freezes):
            strike = impact.strike(worker, "frozen")
            worker.freeze()
            wait_until(lambda: not line.scenario.slot_row()["active"], "PostgreSQL gives it up")
            worker.thaw()
            strike.over(worker)
    line.scenario.settle(worker, timeout=60)
    acquit(line)
    impact.prove()


@pytest.mark.sanitize("address")
def test_frozen_while_another_takes_over(line, kafka, say, impact):
    """The worst case: the frozen one wakes with a queue full of records that are old news by then.

    At-least-once delivery allows those that it had begun to send, and so a key whose last event is an
    old one (S); it must not lose or reorder anything, drop the rest, and step back."""
    frozen = line.streaming(cdc=SOON, kafka={**NARROW, "producerBatchSize": BATCH})
    other = line.start(cdc=SOON)
    other.wait_state("standby")
    with line.writers():
        frozen.wait_delivery(more=500)
        with kafka.frozen():
            frozen.wait_full()
            strike = impact.strike(frozen, "frozen, another takes over")
            frozen.freeze()
            since = time.monotonic()
        other.wait_streaming()
        strike.over(other)
    line.scenario.settle(other, timeout=60)
    wait_until(lambda: time.monotonic() > since + PATIENCE_SECONDS, "it has slept for long enough")
    assert strike.records_unconfirmed > 1000, "proved nothing: its queue was not full"
    before = line.verdicts().duplicates
    with kafka.frozen():  # so that it is not the broker's speed that tells how much it sends
        frozen.thaw()
        frozen.wait_log("^frozen$")
        frozen.wait_state("standby", 60)
    dropped = frozen.last_log("^ended in the middle")["records_unconfirmed"]
    assert frozen.status()["in_flight_records"] == 0, "who woke holds nothing any more"
    with line.writers():
        sent = frozen.status()["records_sent"]
        other.wait_delivery(more=500)
        assert frozen.status()["records_sent"] == sent
    assert other.status()["state"] == "streaming", "who took over goes on"
    line.scenario.settle(other, timeout=60)

    verdicts = line.verdicts()
    say(str(verdicts))
    late = verdicts.duplicates - before
    say(
        f"{strike.records_unconfirmed} records were unconfirmed when it froze, and {dropped} when it woke, of "
        f"which it wrote {late} again; {len(verdicts.stale)} keys end with an old event"
    )
    assert verdicts.loss_free and verdicts.ordered, str(verdicts)
    assert dropped > 1000, "proved nothing: it woke with an empty queue"
    assert late <= REQUESTS * BATCH, "what is on the wire may arrive, the queue is dropped"
