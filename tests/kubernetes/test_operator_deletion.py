"""The end of a Connector: what becomes of its slot, on a real API server. There is no controller of Jobs: how one
ended is said by the test."""

import pytest

from lab.waiting import wait_until


def reasons(shop) -> set[str]:
    return {each.get("reason", "") for each in shop.events()}


def test_retain_goes_at_once_and_says_what_stays(operators, shop):
    operators.start()
    shop.create("orders")
    shop.wait_children("orders")
    assert not shop.connector("orders")["metadata"].get("finalizers")
    shop.delete("orders")
    shop.wait_gone("orders")
    wait_until(lambda: "SlotKept" in reasons(shop), "an event names the slot")


def test_delete_drops_the_slot_by_a_job(operators, shop):
    operators.start()
    shop.create("orders", deletionPolicy="Delete")
    shop.wait_children("orders")
    assert shop.connector("orders")["metadata"]["finalizers"] == ["pqcdc.io/slot"]
    shop.delete("orders")
    path = shop.path("Job", "pqcdc-orders-drop")
    wait_until(lambda: shop.api.find(path), "the Job is there")
    assert shop.child("Deployment", "orders")["spec"]["replicas"] == 0
    now = "2026-01-02T03:04:05Z"
    done = [
        {"type": each, "status": "True", "lastTransitionTime": now} for each in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"conditions": done, "startTime": now, "completionTime": now, "succeeded": 1}
    shop.api.patch(f"{path}/status", {"status": status})
    shop.wait_gone("orders")
    wait_until(lambda: "SlotDropped" in reasons(shop), "an event says so")


BAD_TEMPLATES = {
    "of_workers": {"topologySpreadConstraints": [{"maxSkew": 0}]},
    "of_both": {"nodeSelector": {"no label, to be sure": "x"}, "env": [{"name": "MORE", "value": "1"}]},
}


@pytest.mark.parametrize("template", BAD_TEMPLATES)
def test_a_deployment_that_is_refused_holds_no_drop_up(operators, shop, template):
    operators.start()
    shop.create("orders", deletionPolicy="Delete")
    shop.wait_children("orders")
    shop.edit("orders", {"spec": {"template": BAD_TEMPLATES[template]}})
    shop.wait_condition("orders", "Degraded", "True", "ApplyFailed")
    assert shop.child("Deployment", "orders")["spec"]["replicas"] == 2
    shop.delete("orders")
    job = wait_until(lambda: shop.api.find(shop.path("Job", "pqcdc-orders-drop")), "the Job is there")
    assert shop.child("Deployment", "orders")["spec"]["replicas"] == 0
    spec = job["spec"]["template"]["spec"]
    assert "nodeSelector" not in spec
    names = {each["name"] for each in spec["containers"][0]["env"]}
    assert ("MORE" in names) == ("env" in BAD_TEMPLATES[template])
    shop.wait_condition("orders", "Degraded", "False", "Deleting")


def test_a_deployment_that_lost_its_labels_is_stopped(operators, shop):
    operator = operators.start()
    shop.create("orders", deletionPolicy="Delete")
    template = shop.wait_children("orders")["Deployment"]["spec"]["template"]
    operator.kill()
    unlabelled = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
    shop.api.patch(shop.path("Deployment", "pqcdc-orders"), unlabelled)
    metadata = {"name": "pqcdc-orders-a", "labels": template["metadata"]["labels"]}
    shop.api.post(shop.path("Pod"), {"metadata": metadata, "spec": template["spec"]})
    shop.delete("orders")
    operators.start()
    wait_until(lambda: shop.child("Deployment", "orders")["spec"]["replicas"] == 0, "its pods are to stop")
    assert not shop.objects("Job"), "a pod still runs"
    shop.api.delete(f"{shop.path('Pod', 'pqcdc-orders-a')}?gracePeriodSeconds=0")
    wait_until(lambda: shop.objects("Job"), "the Job is there")


def test_one_that_never_could_run_is_dropped(operators, shop):
    operators.start()
    shop.create("orders", deletionPolicy="Delete", template=BAD_TEMPLATES["of_both"])
    shop.wait_condition("orders", "Degraded", "True", "ApplyFailed")
    shop.delete("orders")
    wait_until(lambda: shop.api.find(shop.path("Job", "pqcdc-orders-drop")), "the Job is there")


def kept(shop) -> list[str]:
    return [each["note"] for each in shop.events() if each.get("reason") == "SlotKept"]


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_a_slot_that_another_uses_is_left_to_it(operators, shop, policy):
    operator = operators.start()
    shop.create("first", slot="common", deletionPolicy=policy, paused=True)
    shop.wait_children("first")
    shop.wait_condition("first", "Ready", "False", "Paused")
    shop.create("second", slot="common", paused=True)
    shop.wait_observed("second")
    shop.delete("first")
    shop.wait_gone("first")
    note = wait_until(lambda: kept(shop), "an event says that it stays")[0]
    assert f"{shop.name}/second" in note and "pg_drop" not in note
    assert not shop.objects("Job")
    assert operator.lines(f"{shop.name}/second"), operator.tail()


def test_of_two_that_go_one_drops_the_slot(operators, shop):
    """Whoever is being deleted itself uses it no more."""
    operator = operators.start()
    for name in ("first", "second"):
        shop.create(name, slot="common", deletionPolicy="Delete", paused=True)
        shop.wait_children(name)
        wait_until(lambda name=name: shop.connector(name)["metadata"].get("finalizers"), "it is held")
    operator.kill()
    for name in ("first", "second"):
        shop.delete(name)
    operators.start()
    wait_until(lambda: shop.objects("Job"), "a Job drops it")
    wait_until(lambda: len(shop.api.get(shop.path("Connector"))["items"]) == 1, "the other one is gone")
    assert len(shop.objects("Job")) == 1


def test_a_drop_that_fails_is_told_and_can_be_given_up(operators, shop):
    operators.start()
    shop.create("orders", deletionPolicy="Delete")
    shop.wait_children("orders")
    shop.delete("orders")
    path = shop.path("Job", "pqcdc-orders-drop")
    wait_until(lambda: shop.api.find(path), "the Job is there")
    now = "2026-01-02T03:04:05Z"
    failed = [{"type": each, "status": "True", "lastTransitionTime": now} for each in ("FailureTarget", "Failed")]
    shop.api.patch(f"{path}/status", {"status": {"conditions": failed, "startTime": now, "failed": 3}})
    shop.wait_condition("orders", "Degraded", "True", "DropFailed")
    assert shop.connector("orders")["metadata"]["finalizers"] == ["pqcdc.io/slot"]
    shop.edit("orders", {"metadata": {"annotations": {"pqcdc.io/abandon-slot": "true"}}})
    shop.wait_gone("orders")


def test_a_namespace_that_goes_is_not_held_up(operators, shop, namespace):
    """Nothing can be made in it any more, the Job neither."""
    operator = operators.start()
    shop.create("orders", deletionPolicy="Delete", paused=True)
    shop.wait_children("orders")
    assert shop.connector("orders")["metadata"]["finalizers"] == ["pqcdc.io/slot"]
    namespace.server.admin.delete(f"/api/v1/namespaces/{namespace.name}")
    shop.delete("orders")  # as the controller of namespaces does it
    shop.wait_gone("orders")
    assert any('"orders"' in line or "orders" in line for line in operator.lines("SlotKept")), operator.tail()


def test_the_policy_may_change(operators, shop):
    operators.start()
    shop.create("orders")
    shop.wait_children("orders")
    for policy, finalizers in (("Delete", ["pqcdc.io/slot"]), ("Retain", [])):
        shop.edit("orders", {"spec": {"deletionPolicy": policy}})

        def has_them(wanted: list[str] = finalizers) -> bool:
            return (shop.connector("orders")["metadata"].get("finalizers") or []) == wanted

        wait_until(has_them, f"{policy}: {finalizers}")
