"""What Kafka refuses for good halts the line, which says why; what is mended lets it go on."""

import re

import pytest

from lab.scenario import merge
from lab.servers import GuardedKafka, MockBroker
from lab.topics import TopicReader, allow_writing, create_topic, set_topic

HALTED = 69
# A topic that is not there is said at once; a batch holds one record where that matters.
SOON = {"topic.metadata.propagation.max.ms": "500"}


@pytest.fixture
def users(scenario):
    scenario.execute("create table users (id int primary key, name text)")
    scenario.execute(f"create publication {scenario.publication} for table users")
    scenario.execute(f"select pg_create_logical_replication_slot('{scenario.slot}', 'pgoutput')")
    return scenario


def config(scenario, on_halt: str = "wait", topic: str | None = None, **kafka) -> dict:
    mapping = {"public.users": topic or scenario.topic}
    changes = {"cdc": {"onHalt": on_halt}, "kafka": {"properties": SOON, "tableTopicMapping": mapping}}
    return merge(merge(scenario.config(), changes), {"kafka": kafka})


def insert(scenario, id_: int, size: int = 10) -> None:
    scenario.execute("insert into users values (%s, repeat('x', %s))", (id_, size))


def ids(scenario, topic: str | None = None) -> list[int]:
    return [value["id"] for value in scenario.values(topic)]


PLACE = r"table public\.users, transaction (that ends )?at [0-9A-F]+/[0-9A-F]+"


@pytest.fixture
def halted(impact):
    """halted(worker, code, words...): it has halted for that reason, with at least the refused record
    unconfirmed; the log, /status and /readyz say so, where it was, and what to do."""

    def check(worker, code: str, *words: str) -> None:
        reason = worker.wait_state("halted")["reason"]
        log = worker.find_log("^halted$")
        assert log["level"] == "ERROR"
        assert log["code"] == reason["code"] == code
        assert log["advice"] and log["advice"] == reason["advice"]
        for word in (PLACE, *map(re.escape, words)):
            assert re.search(word, log["error"]), log["error"]
            assert re.search(word, reason["text"]), reason
        assert worker.get("/readyz")[0] == 503
        assert worker.get("/livez")[0] == 200, "a restart would not help"
        impact.told(worker, code)
        impact.prove()

    return check


@pytest.fixture
def told_at_exit(impact):
    """The same of a worker that ends then."""

    def check(worker, code: str, *words: str) -> None:
        assert worker.wait_exit() == HALTED, worker.stderr()
        log = worker.find_log("^halted$")
        assert (log["level"], log["code"]) == ("ERROR", code)
        assert log["advice"]
        for word in (PLACE, *map(re.escape, words)):
            assert re.search(word, log["error"]), log["error"]
        impact.told(worker, code)
        impact.prove()

    return check


@pytest.mark.sanitize("thread")
def test_unknown_topic_waits_for_the_topic(users, kafka, halted):
    topic = f"{users.name}.later"
    worker = users.streaming(config(users, topic=topic))
    insert(users, 1)
    insert(users, 2)
    halted(worker, "topic_missing", topic)
    create_topic(kafka.bootstrap, topic)
    worker.wait_streaming()
    users.settle(worker)
    assert ids(users, topic) == [1, 2]


def test_unknown_topic_ends_the_worker(users, kafka, told_at_exit):
    topic = f"{users.name}.later"
    worker = users.streaming(config(users, "exit", topic=topic))
    insert(users, 1)
    told_at_exit(worker, "topic_missing", topic)
    create_topic(kafka.bootstrap, topic)
    worker = users.streaming(config(users, "exit", topic=topic))
    users.settle(worker)
    assert ids(users, topic) == [1]


def test_record_larger_than_the_client_allows(users, told_at_exit):
    small = {**SOON, "message.max.bytes": "100000"}
    worker = users.streaming(config(users, "exit", properties=small))
    insert(users, 1)
    insert(users, 2, size=150_000)
    insert(users, 3)
    told_at_exit(worker, "record_too_large", users.topic, "message.max.bytes = 100000")
    assert ids(users) == [1], "nothing passes the record that does not fit"
    worker = users.streaming(config(users, "exit"))
    users.settle(worker)
    assert ids(users) == [1, 2, 3]


@pytest.mark.sanitize("address")
def test_record_larger_than_the_topic_allows(users, kafka, halted):
    topic = users.create_topic("narrow", **{"max.message.bytes": "20000"})
    worker = users.streaming(config(users, topic=topic, producerBatchSize=1))
    insert(users, 1)
    users.settle(worker)
    insert(users, 2, size=50_000)
    insert(users, 3)
    halted(worker, "record_too_large", topic, "max.message.bytes")
    assert ids(users, topic) == [1], "nothing passes the record that does not fit"
    set_topic(kafka.bootstrap, topic, **{"max.message.bytes": "200000"})
    worker.wait_streaming()
    users.settle(worker)
    assert list(dict.fromkeys(ids(users, topic)[-2:])) == [2, 3]


def test_nothing_passes_a_first_batch_that_is_refused(users, told_at_exit):
    """A broker takes any first sequence of a producer that it does not know at a partition."""
    topic = users.create_topic("narrow", **{"max.message.bytes": "20000"})
    insert(users, 1, size=50_000)
    for id_ in range(2, 8):
        insert(users, id_)
    worker = users.worker(config(users, "exit", topic=topic))
    told_at_exit(worker, "record_too_large", topic)
    assert ids(users, topic) == []


@pytest.mark.sanitize("address")
def test_batches_larger_than_the_topic_allows_become_smaller(users):
    """Nobody must act: each record fits by itself."""
    topic = users.create_topic("narrow", **{"max.message.bytes": "20000"})
    worker = users.streaming(config(users, topic=topic))
    users.execute("insert into users select g, repeat('x', 1000) from generate_series(1, 500) g")
    users.settle(worker, timeout=60)
    assert worker.find_log("batch_too_large"), "proved nothing: every batch was small enough"
    assert worker.find_log("^halted$") is None
    assert list(dict.fromkeys(ids(users, topic))) == list(range(1, 501))


def test_record_that_the_broker_finds_invalid(users, kafka, halted):
    """A compacted topic takes no record without a key."""
    topic = users.create_topic("compacted", **{"cleanup.policy": "compact"})
    users.execute("alter table users drop constraint users_pkey")
    worker = users.streaming(config(users, topic=topic))
    insert(users, 1)
    halted(worker, "INVALID_RECORD", topic)
    set_topic(kafka.bootstrap, topic, **{"cleanup.policy": "delete"})
    worker.wait_streaming()
    users.settle(worker)
    assert ids(users, topic) == [1]


@pytest.fixture(scope="module")
def guarded(state, logs):
    broker = GuardedKafka(state / "guarded")
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        broker.remove(logs / "guarded")


def test_topic_authorization_is_waited_for(users, guarded, halted):
    create_topic(guarded.bootstrap, users.topic)
    # Who may write somewhere may be an idempotent producer; else that is refused first, or this.
    allow_writing(guarded.bootstrap, f"{users.topic}.other", guarded.USER)
    client = guarded.client()
    client["properties"].update(SOON)
    worker = users.streaming(config(users, **client))
    insert(users, 1)
    halted(worker, "TOPIC_AUTHORIZATION_FAILED", users.topic)
    assert f"kafka-acls.sh --bootstrap-server {client['brokers'][0]} --add" in worker.status()["reason"]["advice"]
    allow_writing(guarded.bootstrap, users.topic, guarded.USER)
    worker.wait_streaming()
    users.settle(worker)
    reader = TopicReader(guarded.bootstrap)
    assert reader.count(users.topic) == 1
    reader.close()
    assert guarded.PASSWORD not in worker.stderr() + worker.get("/status")[1]


def test_wrong_password_is_said_and_nothing_is_lost(users, guarded):
    create_topic(guarded.bootstrap, users.topic)
    allow_writing(guarded.bootstrap, users.topic, guarded.USER)
    client = merge(guarded.client(), {"properties": {"sasl.password": "out of date"}})
    worker = users.streaming(config(users, **client))
    insert(users, 1)
    note = worker.wait_log("brokers_lost")
    assert "sasl.password" in note["advice"]
    assert "out of date" not in worker.stderr()
    assert worker.terminate() == 0
    worker = users.streaming(config(users, **guarded.client()))
    users.settle(worker)


# The last one librdkafka heals by itself, when it can tell that nothing was lost.
DISOWNED = {45: "OUT_OF_ORDER_SEQUENCE_NUMBER", 47: "INVALID_PRODUCER_EPOCH", 59: None}


@pytest.mark.sanitize("address")
@pytest.mark.parametrize("number", DISOWNED)
def test_producer_that_the_broker_disowns_is_replaced(users, number):
    """The line begins again at the slot with a new producer: nobody must act, nothing is missing."""
    with MockBroker(users.topic) as broker:
        worker = users.streaming(config(users, "exit", brokers=[broker.bootstrap]))
        insert(users, 1)
        users.settle(worker)
        broker.fail_next(number)
        for id_ in range(2, 12):
            insert(users, id_)
        users.settle(worker)
        reader = TopicReader(broker.bootstrap)
        keys = [int(record.key) for record in reader.read(users.topic)]
        reader.close()
    assert list(dict.fromkeys(keys)) == list(range(1, 12)), "all of them, in order"
    assert worker.alive()
    if DISOWNED[number]:
        lost = next(log for log in worker.logs() if log.get("code") == DISOWNED[number])
        assert (lost["msg"], lost["class"]) == ("starting", "reconnect")
        assert users.topic in lost["error"]
