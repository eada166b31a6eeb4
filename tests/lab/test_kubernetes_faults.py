"""The proxy before the API server does what its methods say, and nothing when it is told nothing."""

import http.client
import ssl
import threading
import time

import pytest

from lab.api_faults import gone
from lab.kubernetes import Answer, ApiClient, micro_time, worker_rules
from lab.waiting import wait_until


@pytest.fixture
def lease(namespace):
    lease = namespace.lease("orders")
    lease.create("first")
    return lease


@pytest.fixture
def token(namespace):
    return namespace.service_account("worker", worker_rules("orders")).token()


@pytest.fixture
def client(api, api_faults, token):
    """A worker's, by way of the proxy."""
    return ApiClient(api_faults.port, api.authority, token=token)


@pytest.fixture
def watch(client, lease):
    with client.watch(lease.collection, fieldSelector=f"metadata.name={lease.name}") as watch:
        yield watch


def put(client: ApiClient, lease, **spec) -> Answer:
    changed = lease.read()
    changed["spec"].update(renewTime=micro_time(), **spec)
    return client.call("PUT", lease.path, changed)


def test_told_nothing_it_does_nothing(api, api_faults, client, lease, token):
    direct = api.client(token)
    for path in (lease.path, "/version", "/api/v1/secrets"):
        mine, other = client.call("GET", path), direct.call("GET", path)
        assert (mine.status, mine.body) == (other.status, other.body)
        assert mine.headers["Content-Type"] == other.headers["Content-Type"]
    assert put(client, lease, holderIdentity="second").status == 200
    assert lease.holder == "second"
    assert api_faults.count("GET", "leases") == 1
    assert api_faults.count("PUT") == 1


def test_a_connection_serves_many_requests(api, api_faults, client, lease):
    connection = client.connect(timeout=10)
    for path in (lease.path, lease.path, "/version"):
        connection.request("GET", path, headers=client.headers)
        response = connection.getresponse()
        assert response.status == 200 and response.read()
    connection.close()


@pytest.mark.parametrize("status", [401, 403, 404, 409, 410, 422, 429, 500, 503, 504])
def test_answers_in_its_place(api_faults, client, lease, status):
    fault = api_faults.answer("PUT", "leases", status=status, times=2)
    for _ in range(2):
        answer = put(client, lease, holderIdentity="second")
        assert answer.status == status
        assert answer.object["kind"] == "Status" and answer.object["code"] == status
        assert answer.object["reason"]
    assert lease.holder == "first" and fault.hits == 2
    assert client.call("GET", lease.path).status == 200, "of a GET nothing was said"
    assert put(client, lease, holderIdentity="second").status == 200, "twice, and no more"


def test_answer_says_when_to_come_again(api_faults, client, lease):
    api_faults.answer("GET", status=429, retry_after=2)
    assert client.call("GET", lease.path).headers["Retry-After"] == "2"
    api_faults.clear()
    assert client.call("GET", lease.path).status == 200


def test_answer_that_is_no_json(api_faults, client, lease):
    api_faults.answer("GET", "leases", status=200, body=b"<html>")
    assert client.call("GET", lease.path).body == b"<html>"
    assert client.call("GET", "/version").object["major"] == "1"


@pytest.mark.parametrize(("carried_out", "holder"), [(False, "first"), (True, "second")])
def test_late_request_and_late_answer(api_faults, client, lease, carried_out, holder):
    api_faults.delay("PUT", 30, carried_out=carried_out)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(put(client, lease, holderIdentity="second")))
    thread.start()
    wait_until(lambda: api_faults.count("PUT") == 1 and lease.holder == holder, "it is held up")
    thread.join(0.3)
    assert lease.holder == holder and not answers
    assert client.call("GET", lease.path).status == 200, "others do not wait"
    api_faults.clear()
    thread.join(30)
    assert answers[0].status == 200, "what was held up went on"
    assert lease.holder == "second"


def test_delay_is_as_long_as_it_was_said(api_faults, client, lease):
    fault = api_faults.delay("PUT", 0.5, "leases", times=1)
    start = time.monotonic()
    put(client, lease)
    assert time.monotonic() - start >= 0.5
    put(client, lease)
    assert fault.hits == 1


def test_lost_answer_was_carried_out(api_faults, client, lease):
    api_faults.lose("PUT", "leases", times=1)
    with pytest.raises((OSError, http.client.HTTPException)):
        put(client, lease, holderIdentity="second")
    assert lease.holder == "second"
    assert put(client, lease, holderIdentity="third").status == 200


def test_truncated_answer(api_faults, client, lease):
    api_faults.truncate("GET", "leases", times=1)
    with pytest.raises(http.client.IncompleteRead) as partial:
        client.call("GET", lease.path)
    assert partial.value.partial.startswith(b"{") and partial.value.expected > 0
    assert client.call("GET", lease.path).status == 200


def test_huge_answer(api_faults, client, lease):
    api_faults.huge("GET", 30_000_000, "leases", times=1)
    answer = client.call("GET", lease.path)
    assert len(answer.body) == 30_000_000
    assert answer.object == lease.read(), "and it is still the same"


def test_watch_goes_through_line_by_line(api_faults, watch, lease):
    events = iter(watch)
    assert next(events)["type"] == "ADDED"
    for holder in ("second", "third"):
        lease.steal(holder)
        assert next(events)["object"]["spec"]["holderIdentity"] == holder
    assert api_faults.watches == 1
    watch.close()
    wait_until(lambda: api_faults.watches == 0, "the server need not go on")


def test_watch_is_told_that_it_is_too_old(api_faults, watch, lease):
    events = iter(watch)
    next(events)
    assert api_faults.say(gone()) == 1
    said = next(events)
    assert said["type"] == "ERROR" and said["object"]["code"] == 410
    assert api_faults.end_watches() == 1
    assert list(events) == []
    wait_until(lambda: api_faults.watches == 0, "it is over")


def test_first_event_of_a_watch_can_be_damaged(api_faults, client, lease):
    selector = {"fieldSelector": f"metadata.name={lease.name}"}
    api_faults.truncate("WATCH", "leases", times=1)
    with client.watch(lease.collection, **selector) as watch:
        assert list(watch) == []
    api_faults.huge("WATCH", 1_000_000, times=1)
    with client.watch(lease.collection, **selector) as watch:
        assert len(watch.line()) == 1_000_000
    api_faults.answer("WATCH", status=410, times=1)
    with pytest.raises(RuntimeError, match="410"):
        client.watch(lease.collection, **selector)
    with client.watch(lease.collection, **selector) as watch:
        assert next(iter(watch))["type"] == "ADDED"


def test_server_that_is_away_is_away(api, api_faults, client, lease):
    watch = client.watch(lease.collection, fieldSelector=f"metadata.name={lease.name}")
    with watch:
        events = iter(watch)
        next(events)
        api.kill()
        assert list(events) == [], "a broken watch breaks"
    with pytest.raises((OSError, http.client.HTTPException)):
        client.call("GET", lease.path)
    api.start()
    assert client.call("GET", lease.path).status == 200


def test_frozen_server_is_silent(api, client, lease):
    with api.frozen(), pytest.raises(TimeoutError):
        client.call("GET", lease.path, timeout=0.5)
    assert client.call("GET", lease.path).status == 200


def test_rotated_authority_is_its_own_too(api, api_faults, client, token, lease, tmp_path):
    old = tmp_path / "old.crt"
    old.write_bytes(api.authority.read_bytes())
    api.rotate()
    with pytest.raises(ssl.SSLCertVerificationError):
        ApiClient(api_faults.port, old, token=token).get(lease.path)
    assert client.call("GET", lease.path).status == 200
