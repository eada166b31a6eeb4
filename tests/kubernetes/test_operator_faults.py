"""The operator is killed, frozen, doubled, cut off, and told nonsense: in the end everything is as if nothing
had happened."""

import pytest

from lab.api_faults import gone
from lab.kubernetes import phase_of
from lab.operator import Operator, operator_rules
from lab.waiting import wait_until

MANY_WRITES = 40  # more than there are on the way from nothing to the end


def make_both(shop) -> None:
    """What an operator finds: one to bring up, with a finalizer, and one that is paused."""
    shop.create("orders", deletionPolicy="Delete")
    shop.create("paused", paused=True)


def wait_both(shop) -> None:
    shop.wait_children("orders")
    shop.wait_children("paused")
    shop.wait_condition("orders", "Ready", "False", "Starting")
    shop.wait_condition("paused", "Ready", "False", "Paused")


def wait_same(shop, expected: dict, timeout: float = 60) -> None:
    def differs() -> list[str]:
        essence = shop.essence()
        return [name for name in expected | essence if essence.get(name) != expected.get(name)]

    wait_until(lambda: not differs(), "everything is as it would be", timeout)


@pytest.mark.parametrize("point", ["before_write", "after_write"])
def test_killed_at_every_write(operators, shop, say, full, point):
    """Each operator dies at its first, second, ... write: then it is started anew, and dies again. In the end
    one finds everything done, and writes nothing."""
    operator = operators.make()
    make_both(shop)
    step = 1 if full else 3
    deaths = 0
    for number in range(1, MANY_WRITES, step):
        operator.start(fault=f"operator_{point}=kill@{number}")
        if ended(operator, shop):
            deaths += 1
            continue
        break
    else:
        pytest.fail("it never came to an end")
    say(f"{deaths} operators were killed")
    assert deaths >= 2, "nobody was killed: this proves nothing"
    wait_both(shop)
    assert shop.connector("orders")["metadata"]["finalizers"] == ["pqcdc.io/slot"]
    essence = shop.essence()
    operator.kill()
    again = operators.start("--resync=1s")
    again.wait(lambda: again.metrics().get('pqcdc_operator_reconcile_total{result="idle"}', 0) >= 4, "it looked")
    assert shop.essence() == essence


def ended(operator, shop) -> bool:
    """It died at its fault point; else it is done: everything is there, and nothing is left to be written."""

    def over() -> str | None:
        if not operator.alive():
            return "dead"
        idle = operator.metrics().get('pqcdc_operator_reconcile_total{result="idle"}', 0)
        return "done" if idle >= 2 else None

    what = wait_until(over, "it dies or is done", 60)
    if what == "dead":
        assert operator.lines("fault point operator_"), operator.tail()
    return what == "dead"


def test_killed_while_it_lets_go(operators, shop):
    """Between the end of the Job and the finalizer's."""
    operator = operators.start()
    shop.create("orders", deletionPolicy="Delete", paused=True)
    shop.wait_children("orders")
    shop.wait_condition("orders", "Ready", "False", "Paused")
    operator.kill()
    shop.delete("orders")
    for _ in range(6):
        operator.start(fault="operator_after_write=kill@1")
        operator.wait_exit(60)
        if shop.api.find(shop.path("Job", "pqcdc-orders-drop")):
            break
    path = shop.path("Job", "pqcdc-orders-drop")
    now = "2026-01-02T03:04:05Z"
    done = [
        {"type": each, "status": "True", "lastTransitionTime": now} for each in ("SuccessCriteriaMet", "Complete")
    ]
    shop.api.patch(
        f"{path}/status",
        {"status": {"conditions": done, "startTime": now, "completionTime": now, "succeeded": 1}},
    )
    operator.start(fault="operator_before_write=kill@1")
    operator.wait_exit(60)
    assert shop.connector("orders")["metadata"]["finalizers"] == ["pqcdc.io/slot"]
    operator.start()
    wait_until(lambda: shop.connector("orders") is None, "it is gone")


# The API server


@pytest.mark.sanitize("thread")
def test_api_server_restarted(operators, shop, api):
    operator = operators.start(elect=True)
    shop.create("orders")
    shop.wait_children("orders")
    api.kill()
    assert operator.get("/livez")[0] == 200
    wait_until(lambda: not operator.status().get("leads", True), "it does not lead without its Lease", 60)
    assert operator.get("/livez")[0] == operator.get("/readyz")[0] == 200
    api.start()
    operator.wait_leads(120)
    shop.create("second")
    shop.wait_children("second", 60)
    assert operator.alive()


def test_watch_expired(operators, shop, api_faults):
    """410 in a stream: the collection is listed again, and what happened meanwhile is seen."""
    operator = operators.start(faults=api_faults)
    shop.create("orders")
    shop.wait_children("orders")
    api_faults.answer("WATCH", status=410, times=100)
    api_faults.say(gone())
    shop.create("second")
    shop.wait_children("second", 60)
    shop.api.delete(shop.path("ConfigMap", "pqcdc-orders"))
    wait_until(lambda: shop.child("ConfigMap", "orders"), "the ConfigMap is back", 60)
    api_faults.clear()
    assert operator.alive()


def test_etcd_compacted(operators, shop, api):
    """Really: the versions that the watches know are compacted away while the operator stands still."""
    operator = operators.start()
    shop.create("orders")
    shop.wait_children("orders")
    with operator.frozen():
        shop.create("second")
        shop.delete("orders")
        revision = int(shop.api.get(shop.path("Connector"))["metadata"]["resourceVersion"])
        api.compact(revision)
        api.restart()
    shop.wait_children("second", 90)
    operator.wait(lambda: operator.status().get("connectors") == 1, "it knows what is gone", 60)


@pytest.mark.parametrize("fault", ["conflict", "busy", "too_many", "lost", "denied"])
def test_writes_fail_for_a_while(operators, shop, api_faults, fault):
    rules = {
        "conflict": lambda: api_faults.answer("PATCH", status=409, times=5),
        "busy": lambda: api_faults.answer("PATCH", status=500, times=5),
        "too_many": lambda: api_faults.answer("PATCH", status=429, retry_after=1, times=3),
        "lost": lambda: api_faults.lose("PATCH", times=4),
        "denied": lambda: api_faults.answer("PATCH", status=403, times=4),
    }
    rule = rules[fault]()
    operator = operators.start(faults=api_faults)
    shop.create("orders")
    shop.wait_children("orders", 60)
    shop.wait_condition("orders", "Degraded", "False", timeout=60)
    assert rule.times == 0, "less failed than was to: this proves little"
    # libcurl itself repeats what a kept connection swallowed without a word
    failed = sum(v for k, v in operator.metrics().items() if k.startswith("pqcdc_operator_errors_total"))
    assert failed >= 1 or fault == "lost"


def test_a_write_that_hangs_holds_up_nobody_else(operators, shop, api_faults):
    operators.start(faults=api_faults)
    api_faults.delay("PATCH", 20, "pqcdc-slow")
    shop.create("slow")
    shop.create("orders")
    shop.wait_children("orders", 15)
    api_faults.clear()
    shop.wait_children("slow", 60)


# Two operators


def holder(namespace) -> str:
    return (namespace.lease("pqcdc-operator").holder or "").rpartition("_")[0]


@pytest.mark.sanitize("address")
def test_the_other_takes_over_at_once_when_one_ends(operators, shop, namespace):
    first = operators.start(elect=True)
    second = operators.make(elect=True).start()
    second.wait_ready()
    assert holder(namespace) == first.identity and not second.status()["leads"]
    shop.create("orders")
    shop.wait_children("orders")
    assert first.lines("there is no lease") and not first.lines("slot"), "it speaks of a slot that it has not"
    assert first.terminate() == 0
    second.wait_leads(10)  # a Lease that was not given back would take 15 s
    shop.create("second")
    shop.wait_children("second")
    assert second.terminate() == 0
    assert namespace.lease("pqcdc-operator").holder == ""


def test_one_of_two_is_frozen_and_comes_back(operators, shop, namespace):
    """It does not write any more when it thaws, although nobody told it."""
    first = operators.start(elect=True)
    second = operators.make(elect=True).start()
    second.wait_ready()
    with first.frozen():
        second.wait_leads(60)
        shop.create("orders")
        shop.wait_children("orders")
        shop.edit("orders", {"spec": {"paused": True}})
        shop.wait_condition("orders", "Ready", "False", "Paused")
    first.wait(lambda: not first.status().get("leads", True), "it knows that it does not lead")
    assert first.alive() and second.alive()
    assert holder(namespace) == second.identity
    written = [k for k in first.metrics() if 'verb="PATCH"' in k]
    assert not written, f"it wrote: {written}"
    assert phase_of(namespace.lease("pqcdc-operator").read()) == "streaming"


def test_one_of_two_is_cut_off(operators, shop, namespace, api_faults):
    """It gives up writing at renewDeadline, before the other may begin."""
    first = operators.start(elect=True, faults=api_faults)
    second = operators.make(elect=True).start()
    second.wait_ready()
    for verb in ("GET", "PUT", "PATCH", "POST"):
        api_faults.delay(verb, 300)
    first.wait(lambda: not first.status().get("leads", True), "it stops leading", 60)
    assert holder(namespace) == first.identity, "it gave up too late"
    second.wait_leads(60)
    shop.create("orders")
    shop.wait_children("orders")
    api_faults.clear()
    assert first.alive() and first.get("/livez")[0] == 200


def test_all_namespaces(operator_program, shop, namespace, api, logs):
    """By a ClusterRole with the same rules."""
    account = namespace.cluster_account("operator-all", operator_rules())
    directory = logs / f"operator-all-{namespace.name}"
    kubeconfig = account.kubeconfig(directory / "kubeconfig", account.mount(directory / "account"))
    operator = Operator(
        operator_program, directory, kubeconfig, [], ["--leader-elect=false"], own_namespace=namespace.name
    )
    try:
        operator.start().wait_leads()
        shop.create("orders", host=f"{namespace.name}.example", paused=True)  # in no other namespace
        shop.wait_condition("orders", "Ready", "False", "Paused")
    finally:
        operator.close()
