"""The operator on a real API server, with the rights of the chart and no others. There is no kubelet: who
says that pods run is the test."""

import pytest

from lab.operator import CHILDREN, IMAGE, worker_status
from lab.waiting import wait_until


def managers_of(thing: dict) -> dict[str, list[dict]]:
    out: dict[str, list[dict]] = {}
    for entry in thing["metadata"].get("managedFields", []):
        out.setdefault(entry["manager"], []).append(entry)
    return out


def wait_quiet(operator, shop) -> dict[str, str]:
    """Until a look at everything changes nothing any more; the versions of it."""
    last: dict[str, str] = {}

    def quiet() -> dict[str, str] | None:
        nonlocal last
        before, last = last, shop.versions()
        looks = operator.metrics().get("pqcdc_operator_queue_depth", 1)
        return last if before == last and not looks else None

    return operator.wait(quiet, "nothing is written any more", 60)


# Children


@pytest.mark.sanitize("thread")
def test_children_appear(operators, shop):
    operator = operators.start()
    created = shop.create("orders")
    children = shop.wait_children("orders")
    for kind, child in children.items():
        owner = child["metadata"]["ownerReferences"][0]
        assert owner["uid"] == created["metadata"]["uid"], kind
        assert owner["controller"] and owner["blockOwnerDeletion"], kind
        assert child["metadata"]["labels"]["pqcdc.io/connector"] == "orders", kind
        assert set(managers_of(child)) == {"pqcdc-operator"}, kind
        assert managers_of(child)["pqcdc-operator"][0]["operation"] == "Apply", kind
    deployment = children["Deployment"]["spec"]
    assert deployment["replicas"] == 2
    assert deployment["template"]["spec"]["containers"][0]["image"] == IMAGE
    assert "slot" in children["ConfigMap"]["data"]["config.yaml"]
    status = shop.wait_observed("orders")
    assert {each["type"] for each in status["conditions"]} == {
        "Ready",
        "Progressing",
        "Degraded",
        "SlotReady",
        "LeaderElected",
    }
    spec_owners = {name: set(map(str, fields)) for name, fields in managers_of(shop.connector("orders")).items()}
    assert "pqcdc-operator" not in spec_owners, "the operator owns something of the spec"
    assert operator.terminate() == 0


def test_nothing_is_written_when_nothing_changed(operators, shop):
    operator = operators.start("--resync=1s")
    shop.create("orders")
    shop.create("paused", paused=True)
    shop.wait_children("orders")
    shop.wait_condition("paused", "Ready", "False", "Paused")
    before = wait_quiet(operator, shop)
    events = len(shop.events())
    looks = operator.metrics()['pqcdc_operator_reconcile_total{result="idle"}']

    def looked_again() -> bool:
        return operator.metrics()['pqcdc_operator_reconcile_total{result="idle"}'] >= looks + 6

    operator.wait(looked_again, "it looked at both three times more")
    assert shop.versions() == before
    assert len(shop.events()) == events
    operator.terminate()
    operators.start()  # another one has nothing to write either
    again = operators.start("--resync=1s")
    again.wait(lambda: again.metrics().get('pqcdc_operator_reconcile_total{result="idle"}', 0) >= 4, "it looked")
    assert shop.versions() == before


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_child_that_is_deleted_comes_back(operators, shop, kind):
    operators.start()
    shop.create("orders")
    before = shop.wait_children("orders")[kind]["metadata"]["uid"]
    shop.api.delete(shop.path(kind, "pqcdc-orders"))

    def is_back() -> bool:
        child = shop.child(kind, "orders")
        return child is not None and child["metadata"]["uid"] != before

    wait_until(is_back, f"the {kind} is back")


def test_drift_is_mended(operators, shop):
    operators.start()
    shop.create("orders")
    shop.wait_children("orders")
    shop.api.patch(shop.path("Deployment", "pqcdc-orders"), {"spec": {"replicas": 7}})
    shop.api.patch(shop.path("ConfigMap", "pqcdc-orders"), {"data": {"config.yaml": "nonsense: true"}})
    shop.api.patch(shop.path("Role", "pqcdc-orders"), {"rules": []})
    shop.api.patch(
        shop.path("Deployment", "pqcdc-orders"),
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}},
    )

    def mended() -> bool:
        deployment, role = shop.child("Deployment", "orders"), shop.child("Role", "orders")
        return (
            deployment["spec"]["replicas"] == 2
            and deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pqcdc-operator"
            and "nonsense" not in shop.child("ConfigMap", "orders")["data"]["config.yaml"]
            and role["rules"]
        )

    wait_until(mended, "everything is as the Connector says")


def test_what_others_add_stays(operators, shop):
    """Fields that are nobody's of ours: annotations of a roll-out, of a service mesh."""
    operator = operators.start()
    shop.create("orders")
    shop.wait_children("orders")
    shop.api.patch(shop.path("Deployment", "pqcdc-orders"), {"metadata": {"annotations": {"mesh.io/x": "1"}}})
    wait_quiet(operator, shop)
    assert shop.child("Deployment", "orders")["metadata"]["annotations"]["mesh.io/x"] == "1"


def test_a_change_of_the_spec_reaches_the_children(operators, shop):
    operators.start()
    shop.create("orders")
    before = shop.wait_children("orders")["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    shop.edit("orders", {"spec": {"cdc": {"host": "other.example"}, "image": {"tag": "2"}}})

    def rolled() -> bool:
        template = shop.child("Deployment", "orders")["spec"]["template"]
        config = shop.child("ConfigMap", "orders")["data"]["config.yaml"]
        return "other.example" in config and template["metadata"]["annotations"] != before

    wait_until(rolled, "configuration and template are new")
    shop.wait_observed("orders")
    shop.edit("orders", {"spec": {"paused": True}})
    shop.wait_condition("orders", "Ready", "False", "Paused")
    assert shop.child("Deployment", "orders")["spec"]["replicas"] == 0


def test_what_is_refused_keeps_nobody_from_pausing(operators, shop):
    operators.start()
    shop.create("orders")
    shop.wait_children("orders")
    shop.edit("orders", {"spec": {"template": {"nodeSelector": {"no label, to be sure": "x"}}}})
    shop.wait_condition("orders", "Degraded", "True", "ApplyFailed")
    assert shop.child("Deployment", "orders")["spec"]["replicas"] == 2
    shop.edit("orders", {"spec": {"paused": True}})
    wait_until(lambda: shop.child("Deployment", "orders")["spec"]["replicas"] == 0, "its pods are to stop")


def test_a_child_that_the_server_refuses_is_told_and_not_tried_hot(operators, shop):
    operator = operators.start()
    shop.create("orders", template={"nodeSelector": {"no label, to be sure": "x"}})
    condition = shop.wait_condition("orders", "Degraded", "True", "ApplyFailed")
    assert "nodeSelector" in condition["message"], condition
    failed = operator.metrics()['pqcdc_operator_errors_total{reason="api_invalid"}']
    assert failed <= 3, "it tries again and again"
    shop.edit("orders", {"spec": {"template": {"nodeSelector": None}}})
    shop.wait_children("orders")
    shop.wait_condition("orders", "Degraded", "False")


# Names that are taken

TAKEN = {
    "ServiceAccount": {},
    "Role": {"rules": []},
    "ConfigMap": {"data": {"config.yaml": "somebody else's"}},
    "Service": {"spec": {"ports": [{"port": 80}], "selector": {"app": "theirs"}}},
    "Deployment": {
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": {"app": "theirs"}},
            "template": {
                "metadata": {"labels": {"app": "theirs"}},
                "spec": {"containers": [{"name": "theirs", "image": "registry.example/theirs:1"}]},
            },
        }
    },
}


def same(one: dict, other: dict) -> bool:
    return one["metadata"]["resourceVersion"] == other["metadata"]["resourceVersion"]


@pytest.mark.parametrize("kind", TAKEN)
def test_what_somebody_else_made_is_left_as_it_is(operators, shop, kind):
    theirs = shop.api.post(shop.path(kind), {"metadata": {"name": "pqcdc-orders"}, **TAKEN[kind]})
    operators.start()
    shop.create("orders")
    condition = shop.wait_condition("orders", "Degraded", "True", "NameTaken")
    assert f"{kind} pqcdc-orders" in condition["message"] and "delete or rename it" in condition["message"]
    assert same(shop.child(kind, "orders"), theirs)
    shop.delete("orders")
    shop.wait_gone("orders")
    assert same(shop.child(kind, "orders"), theirs)


def test_what_pods_do_not_need_holds_none_up(operators, shop):
    shop.api.post(shop.path("Service"), {"metadata": {"name": "pqcdc-orders"}, **TAKEN["Service"]})
    operators.start()
    shop.create("orders")
    assert "Service pqcdc-orders" in shop.wait_condition("orders", "Degraded", "True", "NameTaken")["message"]
    assert shop.child("Deployment", "orders")["spec"]["replicas"] == 2


def test_a_name_that_becomes_free_is_taken(operators, shop):
    shop.api.post(shop.path("ConfigMap"), {"metadata": {"name": "pqcdc-orders"}})
    operators.start("--resync=2s")
    shop.create("orders")
    shop.wait_condition("orders", "Degraded", "True", "NameTaken")
    shop.api.delete(shop.path("ConfigMap", "pqcdc-orders"))
    shop.wait_children("orders", 90)
    shop.wait_condition("orders", "Degraded", "False")


def owner(name: str, uid: str) -> dict:
    return {
        "apiVersion": "pqcdc.io/v1alpha1",
        "kind": "Connector",
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_what_an_earlier_one_left_is_waited_for(operators, shop):
    """There is no collector of garbage here: what the first one left stays until the test takes it away."""
    operator = operators.start()
    shop.create("orders", paused=True)
    first = shop.wait_children("orders")
    shop.wait_condition("orders", "Ready", "False", "Paused")
    shop.delete("orders")
    shop.wait_gone("orders")
    again = shop.create("orders")
    operator.wait(lambda: operator.lines("belongs to an earlier Connector orders"), "it waits")
    assert shop.condition("orders", "Degraded").get("status") != "True", "that is nothing for people yet"
    for kind, child in first.items():
        assert same(shop.child(kind, "orders"), child), kind
        shop.api.delete(shop.path(kind, "pqcdc-orders"))

    def owned() -> bool:
        children = [shop.child(kind, "orders") for kind in first]
        return all(
            each and each["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"] for each in children
        )

    wait_until(owned, "all of it is made anew", 90)


def test_what_nobody_owns_any_more_is_taken_over(operators, shop):
    """`kubectl delete --cascade=orphan` leaves what was made, without its owner."""
    operators.start()
    created = shop.create("orders")
    before = shop.wait_children("orders")["ConfigMap"]["metadata"]["uid"]
    shop.api.patch(shop.path("ConfigMap", "pqcdc-orders"), {"metadata": {"ownerReferences": None}})

    def owned() -> bool:
        owners = shop.child("ConfigMap", "orders")["metadata"].get("ownerReferences")
        return owners == [owner("orders", created["metadata"]["uid"])]

    wait_until(owned, "it has its owner again")
    assert shop.child("ConfigMap", "orders")["metadata"]["uid"] == before


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MONITORS = "/apis/monitoring.coreos.com/v1/podmonitors"


def define_monitors(api) -> None:
    """Clusters with Prometheus' operator serve them."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "metadata": {"name": "podmonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    api.admin.post(DEFINITIONS, {**kind, **definition})
    wait_until(lambda: api.admin.call("GET", MONITORS).status == 200, "PodMonitors are served")


def drop_monitors(api) -> None:
    path = f"{DEFINITIONS}/podmonitors.monitoring.coreos.com"
    if api.admin.find(path):
        api.admin.delete(path)
    wait_until(lambda: api.admin.call("GET", MONITORS).status == 404, "PodMonitors are served no more")


@pytest.fixture
def pod_monitors(api):
    define_monitors(api)
    yield
    drop_monitors(api)


@pytest.fixture
def no_pod_monitors(api):
    """Yet."""
    yield
    drop_monitors(api)


def monitor(shop) -> dict | None:
    path = f"/apis/monitoring.coreos.com/v1/namespaces/{shop.name}/podmonitors/pqcdc-orders"
    return shop.api.find(path)


def test_a_pod_monitor_where_there_are_any(pod_monitors, operators, shop):
    operator = operators.start()
    shop.create("orders", podMonitor={"enabled": True})
    path = f"/apis/monitoring.coreos.com/v1/namespaces/{shop.name}/podmonitors/pqcdc-orders"
    wait_until(lambda: monitor(shop), "the PodMonitor is there")
    shop.wait_observed("orders")
    before = wait_quiet(operator, shop)
    shop.api.delete(path)
    wait_until(lambda: monitor(shop), "the PodMonitor is back")
    shop.edit("orders", {"spec": {"podMonitor": {"enabled": False}}})
    wait_until(lambda: monitor(shop) is None, "nobody wants it any more")
    assert before.keys() == shop.versions().keys()


def test_a_pod_monitor_where_there_are_none(no_pod_monitors, operators, shop, api):
    """It is told, everything else goes on, and it is made as soon as the cluster knows the kind."""
    operator = operators.start()
    shop.create("orders", podMonitor={"enabled": True})
    shop.wait_children("orders")
    said = shop.wait_condition("orders", "Degraded", "True", "KindUnknown")
    assert "does not know kind PodMonitor" in said["message"]
    wait_quiet(operator, shop)
    errors = sum(v for k, v in operator.metrics().items() if k.startswith("pqcdc_operator_errors_total"))
    shop.edit("orders", {"spec": {"replicas": 3}})
    wait_until(lambda: shop.child("Deployment", "orders")["spec"]["replicas"] == 3, "the rest goes on")
    shop.wait_observed("orders")
    now = sum(v for k, v in operator.metrics().items() if k.startswith("pqcdc_operator_errors_total"))
    assert now == errors, "it is tried again and again"
    shop.edit("orders", {"spec": {"podMonitor": {"enabled": False}}})
    shop.wait_condition("orders", "Degraded", "False")
    shop.edit("orders", {"spec": {"podMonitor": {"enabled": True}}})
    shop.wait_condition("orders", "Degraded", "True", "KindUnknown")
    define_monitors(api)
    wait_until(lambda: monitor(shop), "the PodMonitor is there", 90)
    shop.wait_condition("orders", "Degraded", "False")
    drop_monitors(api)
    shop.wait_condition("orders", "Degraded", "True", "KindUnknown", 90)


# Workers


@pytest.mark.sanitize("address")
def test_what_workers_say_becomes_status(operators, shop, pods_of, worker_port):
    operator = operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    first, second = pods.add("a"), pods.add("b")
    pods.say(first, worker_status("streaming", first, True, lag_bytes=17))
    shop.wait_condition("orders", "Ready", "True", "Streaming")
    shop.wait_condition("orders", "LeaderElected", "True")
    status = shop.status("orders")
    assert status["leader"] == first
    assert status["slot"]["active"] and status["slot"]["confirmedFlushLsn"] == "0/2000"

    def marked(leader: str, other: str) -> bool:
        cost = "controller.kubernetes.io/pod-deletion-cost"
        one, two = pods.metadata(leader), pods.metadata(other)
        return (
            one["labels"].get("pqcdc.io/role") == "leader"
            and one["annotations"].get(cost) == "1000"
            and "pqcdc.io/role" not in two["labels"]
            and two["annotations"].get(cost, "0") == "0"
        )

    wait_until(lambda: marked(first, second), "the leader's pod is marked")
    pods.say(first, worker_status("standby", first, False))
    pods.say(second, worker_status("streaming", second, True))
    wait_until(lambda: shop.status("orders").get("leader") == second, "the other one leads")
    wait_until(lambda: marked(second, first), "the marks have moved")
    assert operator.metrics()["pqcdc_operator_pods"] == 2


def test_figures_that_drift_are_not_written_at_every_look(operators, shop, pods_of, worker_port):
    operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    pod = pods.add("a")

    def say(count: int, lag: int) -> None:
        body = worker_status("streaming", pod, True)
        body["slot"].update(lag=lag, confirmedFlushLSN=f"0/{count:X}")
        pods.say(pod, body)

    say(1, 100)
    shop.wait_condition("orders", "Ready", "True", "Streaming")
    wait_until(lambda: pods.metadata(pod)["labels"].get("pqcdc.io/role"), "it is marked")
    first = shop.status("orders")
    for count in range(2, 7):
        visits = pods.visits[pod]
        say(count, 100 + count)
        wait_until(lambda seen=visits: pods.visits[pod] >= seen + 2, "it was asked again")
    assert shop.status("orders") == first
    say(7, 1 << 30)
    wait_until(lambda: shop.status("orders")["lag"]["bytes"] == 1 << 30, "a lag that jumps is written at once")
    assert shop.status("orders")["slot"]["confirmedFlushLsn"] == "0/7"
    assert shop.status("orders")["measuredTime"] > first["measuredTime"]


def test_scaling_changes_no_configuration(operators, shop):
    operators.start()
    shop.create("orders", replicas=1)
    wait_until(lambda: shop.child("Deployment", "orders"), "the Deployment is there")
    before = [shop.child("ConfigMap", "orders"), shop.child("Deployment", "orders")["spec"]["template"]]
    shop.edit("orders", {"spec": {"replicas": 2}})
    wait_until(lambda: shop.child("Deployment", "orders")["spec"]["replicas"] == 2, "it is scaled")
    shop.wait_observed("orders")
    assert [shop.child("ConfigMap", "orders"), shop.child("Deployment", "orders")["spec"]["template"]] == before


def test_a_halted_worker_is_told_with_its_reason(operators, shop, pods_of, worker_port):
    operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    pod = pods.add("a")
    reason = {
        "class": "halt",
        "code": "slot_lost",
        "name": "slot_lost",
        "text": "slot orders is gone",
        "advice": "pqcdc slot create --accept-gap",
    }
    pods.say(pod, worker_status("halted", pod, False, reason=reason))
    condition = shop.wait_condition("orders", "Ready", "False", "Halted:SlotLost")
    assert "accept-gap" in condition["message"]
    shop.wait_condition("orders", "Degraded", "True")
    wait_until(lambda: any("gone" in each.get("note", "") for each in shop.events()), "there is an event")
    pods.say(pod, worker_status("streaming", pod, True))
    shop.wait_condition("orders", "Ready", "True", "Streaming")
    shop.wait_condition("orders", "Degraded", "False")


NONSENSE = {
    "empty": "",
    "text": "no json",
    "array": "[]",
    "types": '{"state": 7, "slot": [], "lease": "x"}',
    "huge": "x" * 300_000,
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_of_a_worker_breaks_nothing(operators, shop, pods_of, worker_port, kind):
    operator = operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    pod = pods.add("a", NONSENSE[kind])
    wait_until(lambda: pods.visits.get(pod, 0) >= 3, "it was asked again and again")
    assert shop.condition("orders", "Ready")["status"] == "False"
    pods.say(pod, worker_status("streaming", pod, True))
    shop.wait_condition("orders", "Ready", "True", "Streaming")
    assert operator.alive()


def test_an_unreachable_leader(operators, shop, pods_of, worker_port):
    operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    pod = pods.add("a")
    pods.say(pod, worker_status("streaming", pod, True))
    shop.wait_condition("orders", "Ready", "True")
    pods.silence(pod)
    condition = shop.wait_condition("orders", "Degraded", "True", "WorkerUnreachable")
    assert pod in condition["message"]


def test_a_pod_that_cannot_start_tells_why(operators, shop, pods_of, worker_port):
    operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    pod = pods.add("a")
    pods.say_it_waits(pod, "CreateContainerConfigError", 'secret "database" not found')
    condition = shop.wait_condition("orders", "Degraded", "True", "PodsUnavailable")
    assert 'secret "database" not found' in condition["message"]


def test_a_restarted_operator_does_not_doubt_what_it_does_not_know_yet(operators, shop, pods_of, worker_port):
    """Ready stays True while the new one has not asked the workers."""
    operator = operators.start(f"--worker-port={worker_port}")
    shop.create("orders")
    shop.wait_children("orders")
    pods = pods_of("orders")
    pod = pods.add("a")
    pods.say(pod, worker_status("streaming", pod, True))
    since = shop.wait_condition("orders", "Ready", "True")["lastTransitionTime"]
    wait_until(lambda: pods.metadata(pod)["labels"].get("pqcdc.io/role"), "it is marked")
    before = wait_quiet(operator, shop)
    operator.kill()
    visits = pods.visits[pod]
    again = operators.start(f"--worker-port={worker_port}")
    again.wait(lambda: pods.visits[pod] >= visits + 2, "the new one has asked twice")
    assert shop.condition("orders", "Ready")["lastTransitionTime"] == since
    assert shop.versions() == before


# Two on one slot


def test_the_younger_of_two_on_one_slot_is_degraded(operators, shop):
    operators.start()
    shop.create("first", slot="common")
    shop.wait_children("first")
    wait_until(lambda: shop.connector("first"), "it is there")
    older = shop.connector("first")["metadata"]["creationTimestamp"]
    shop.create("second", slot="common")
    younger = shop.connector("second")["metadata"]["creationTimestamp"]
    loser, winner = ("second", "first") if (older, "first") < (younger, "second") else ("first", "second")
    condition = shop.wait_condition(loser, "Degraded", "True", "DuplicateSlot")
    assert f"{shop.name}/{winner}" in condition["message"]
    wait_until(lambda: shop.child("Deployment", loser)["spec"]["replicas"] == 0, "it runs no worker")
    assert shop.child("Deployment", winner)["spec"]["replicas"] == 2
    shop.delete(winner)
    shop.wait_condition(loser, "Degraded", "False")
    wait_until(lambda: shop.child("Deployment", loser)["spec"]["replicas"] == 2, "it runs workers")


# Rights


SIGHT = {"list", "watch"}
MADE = SIGHT | {"get", "create", "patch"}
MADE_AND_ENDED = MADE | {"delete"}
REVIEWED = {
    "pqcdc.io/connectors": SIGHT | {"patch"},
    "pqcdc.io/connectors/status": {"patch"},
    "pqcdc.io/connectors/finalizers": {"update"},
    "/serviceaccounts": MADE_AND_ENDED,
    "/configmaps": MADE,
    "/services": MADE,
    "/pods": SIGHT | {"patch"},
    "/namespaces": {"get"},
    "apps/deployments": MADE,
    "batch/jobs": MADE,
    "policy/poddisruptionbudgets": MADE_AND_ENDED,
    "rbac.authorization.k8s.io/roles": MADE,
    "rbac.authorization.k8s.io/rolebindings": MADE,
    "monitoring.coreos.com/podmonitors": MADE_AND_ENDED,
    "coordination.k8s.io/leases": SIGHT | {"get", "create", "update"},
    "events.k8s.io/events": {"create", "patch"},
}
OF_EVERYBODY = ("authorization.k8s.io/", "authentication.k8s.io/")


def test_the_rights_are_the_reviewed_ones(operators, namespace):
    """Nothing of Secrets, no escalate, bind or impersonate: what is not listed here is not given."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace.name},
    }
    client = namespace.server.client(operators.account.token())
    answer = client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    rights: dict[str, set[str]] = {}
    for rule in answer["status"]["resourceRules"]:
        for group in rule.get("apiGroups", []):
            for resource in rule.get("resources", []):
                rights.setdefault(f"{group}/{resource}", set()).update(rule["verbs"])
    given = {name: verbs for name, verbs in rights.items() if not name.startswith(OF_EVERYBODY)}
    assert given == REVIEWED
