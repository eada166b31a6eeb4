"""Two hundred Connectors: how long, how much memory, how many requests at rest."""

import time
from concurrent.futures import ThreadPoolExecutor

from lab.operator import requests_of
from lab.waiting import wait_until

COUNT = 200
REST_SECONDS = 20


def test_two_hundred_paused(operators, shop, api, say):
    operator = operators.start()
    empty_mb = operator.resident_mb()
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: shop.create(f"c{n:03}", slot=f"s{n:03}", paused=True), range(COUNT)))
    created = time.monotonic()

    def all_told() -> bool:
        connectors = shop.api.get(shop.path("Connector"))["items"]
        return len(connectors) == COUNT and all(is_told(each) for each in connectors)

    wait_until(all_told, "each has its status", 300, interval=0.5)
    done = time.monotonic()
    say(f"{COUNT} paused: created in {created - began:.1f} s, the last status {done - created:.1f} s later")
    say(f"resident: {empty_mb:.1f} MB empty, {operator.resident_mb():.1f} MB with {COUNT}")
    operator.wait(lambda: operator.metrics()["pqcdc_operator_queue_depth"] == 0, "the queue is empty", 60)
    versions = shop.versions()
    before, own = requests_of(api), operator.metrics()
    time.sleep(REST_SECONDS)  # how long it rests
    after, rested = requests_of(api), operator.metrics()
    made = {key: rested[key] - own.get(key, 0) for key in rested if key.startswith("pqcdc_operator_api_requests")}
    rate = sum(made.values()) / REST_SECONDS
    say(f"at rest: {rate:.2f} requests/s of the operator; of all clients {delta(before, after)}")
    assert rate < 1, made
    assert shop.versions() == versions
    restarted = time.monotonic()
    operator.terminate()
    again = operators.start()
    again.wait(lambda: looked(again) >= COUNT, "each was looked at", 120)
    say(f"restarted: {time.monotonic() - restarted:.1f} s until each was looked at, {again.resident_mb():.1f} MB")
    assert shop.versions() == versions


def is_told(connector: dict) -> bool:
    status = connector.get("status", {})
    ready = [each for each in status.get("conditions", []) if each["type"] == "Ready"]
    return (
        status.get("observedGeneration") == connector["metadata"]["generation"]
        and ready != []
        and ready[0]["reason"] == "Paused"
    )


def looked(operator) -> float:
    return sum(v for k, v in operator.metrics().items() if k.startswith("pqcdc_operator_reconcile_total"))


def delta(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
