"""A stream that is lost is resumed where it was, even in the middle of a transaction; and it is not,
where somebody else may have read the slot meanwhile."""

import pytest

from lab.line import NARROW
from lab.waiting import wait_until

# Records a request, of which five are on the wire at most.
BATCH, REQUESTS = 100, 5


@pytest.mark.sanitize
@pytest.mark.versions
def test_cut_again_and_again_in_one_transaction(line, kafka, proxy, acquit, impact, full):
    """Each time the transaction comes again from its begin; what was handed over is skipped.

    Kafka takes 4 MB a second, so that the transaction lasts for seconds, and stands still at each cut."""
    cuts = 10 if full else 3
    by_proxy = {**NARROW, "brokers": [kafka.proxied_bootstrap]}
    worker = line.streaming(kafka=by_proxy)
    proxy.throttle(4_000_000)
    changes = line.change(1, line.ids, rounds=20 * (cuts + 1))
    for _ in range(cuts):
        worker.wait_delivery(more=500)
        with kafka.frozen():
            worker.wait_full()
            strike = impact.strike(worker, "walsender terminated")
            starts = worker.metrics()["pqcdc_stream_starts_total"]
            line.terminate_walsender()
        worker.wait(lambda: worker.metrics()["pqcdc_stream_starts_total"] > starts, "a new stream", timeout=60)
        strike.over(worker, beyond=strike.records_acked)
    assert worker.status()["records_acked"] < changes, "proved nothing: the transaction was over"
    proxy.throttle(None)
    line.scenario.settle(worker, timeout=120)
    told = [said for said in worker.find_logs("^the stream was lost") if said["transaction_cut"]]
    assert len(told) == cuts, "proved nothing: a cut did not meet the open transaction"
    impact.prove(cuts)
    assert acquit(line).duplicates == 0


@pytest.mark.sanitize("thread")
def test_another_replica_takes_the_slot_meanwhile(line, kafka, acquit, impact, full, say):
    """Whoever gets the slot streams from its position; who lost it drops what it had queued.

    Kafka stands still when the leader is frozen, so that its queue is full, and when it wakes, so that it
    is not the broker's speed that tells how much of it is written."""
    rounds = 6 if full else 2
    config = {"kafka": {**NARROW, "producerBatchSize": BATCH}}
    leader = line.streaming(**config)
    other = line.start(**config)
    other.wait_state("standby")
    late = 0
    for number in range(1, rounds + 1):
        with line.writers():
            leader.wait_delivery(more=500)
        line.scenario.settle(leader)
        with kafka.frozen():
            queued = sum(line.change(first, first + 99) for first in range(1, 1500, 100))
            leader.wait(lambda: leader.status()["in_flight_records"] == queued, "they are queued")
            strike = impact.strike(leader, "leader frozen while its walsender is terminated")
            leader.freeze()
            line.terminate_walsender()
            wait_until(lambda: line.walsender() is None or other.status()["state"] == "streaming", "it is gone")
        other.wait_streaming()
        with line.writers():
            strike.over(other)
        line.scenario.settle(other, timeout=60)
        before = line.verdicts().duplicates
        with kafka.frozen():
            leader.thaw()
            leader.wait_state("standby")
        left = leader.last_log("^ended in the middle")["records_unconfirmed"]
        # Of what was on the wire the answers may have come before it saw that the slot is another's.
        assert left >= queued - REQUESTS * BATCH, f"proved nothing: {left} of {queued} were in its queue"
        with line.writers():
            other.wait_delivery(more=500)
        line.scenario.settle(other, timeout=60)
        again = line.verdicts().duplicates - before
        say(f"round {number}: of {left} queued records the former leader wrote {again} when it woke")
        assert again <= REQUESTS * BATCH, "what is on the wire may arrive, the queue is dropped"
        late += again
        leader, other = other, leader
    impact.prove(rounds)
    verdicts = line.verdicts()
    say(f"{verdicts}; {late} were late")
    # A frozen writer may come back with what the brokers had not yet got: S is not promised then.
    assert verdicts.loss_free and verdicts.ordered, str(verdicts)


@pytest.mark.sanitize("address")
def test_asked_to_stop_while_postgres_is_away(line, kafka, postgres, acquit, impact, postgres_back):
    worker = line.streaming(kafka=NARROW)
    with line.writers():
        worker.wait_delivery(more=500)
        with kafka.frozen():
            worker.wait_full()
            impact.strike(worker, "immediate stop")
            postgres.stop("immediate")
            worker.wait(lambda: worker.status()["state"] == "starting", "it knows that the stream is gone")
        assert worker.terminate() == 0, "what is cut does not keep it from ending"
        postgres.start()
        worker = line.streaming()
        worker.wait_delivery()
    line.scenario.settle(worker, timeout=60)
    acquit(line)
    impact.prove()


def test_cut_before_anything_came(line, acquit, impact):
    """Nothing was received yet: the stream goes on from where the slot stands."""
    worker = line.streaming()
    impact.strike(worker, "walsender terminated")
    line.terminate_walsender()
    worker.wait(lambda: worker.metrics()["pqcdc_stream_starts_total"] > 1, "a new stream")
    line.change(1, line.ids)
    line.scenario.settle(worker)
    assert acquit(line).duplicates == 0
