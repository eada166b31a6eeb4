"""The API server is a real one: what the worker relies on is so, and the lab does to it what it says."""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from lab.kubernetes import MOUNT, ApiClient, ApiError, ApiServer, micro_time, worker_rules
from lab.servers import LAB, free_port
from lab.waiting import wait_until

VERSION = re.search(r"^require k8s.io/kubernetes (v\S+)", (LAB / "kubernetes/go.mod").read_text(), re.M)[1]
USAGE, UNAVAILABLE = 64, 69


@pytest.fixture
def lease(namespace):
    return namespace.lease("orders")


@pytest.fixture
def account(namespace):
    """A worker's, with what the chart grants it for the Lease "orders"."""
    return namespace.service_account("worker", worker_rules("orders"))


def status_of(client: ApiClient, verb: str, path: str, *arguments) -> int:
    return client.call(verb, path, *arguments).status


# The server


def test_is_the_version_that_was_asked_for(api):
    assert api.admin.get("/version")["gitVersion"] == VERSION


def test_kubectl_reads_what_is_there(api, namespace, account, lease, tmp_path):
    lease.create("somebody")
    assert "somebody" in api.kubectl("get", "lease", "-n", namespace.name)
    admin = api.admin_kubeconfig(tmp_path / "admin")
    worker = account.kubeconfig(tmp_path / "worker", account.mount(tmp_path / "mount"))
    who = ["auth", "whoami", "--output", "jsonpath={.status.userInfo.username}"]
    assert api.kubectl("--kubeconfig", str(admin), *who) == "admin"
    name = f"system:serviceaccount:{namespace.name}:worker"
    assert api.kubectl("--kubeconfig", str(worker), *who) == name
    assert "somebody" in api.kubectl("--kubeconfig", str(worker), "get", "lease", "orders")


@pytest.mark.parametrize(
    ("time", "status"),
    [
        ("2030-01-02T03:04:05Z", 400),
        ("2030-01-02T03:04:05.1Z", 400),
        ("2030-01-02T03:04:05.123Z", 400),
        ("2030-01-02T03:04:05.123456Z", 201),
        ("2030-01-02T03:04:05.123456+02:00", 201),
        ("2030-01-02T03:04:05.123456789Z", 400),
    ],
)
def test_a_time_has_six_digits(api, lease, time, status):
    body = {"metadata": {"name": lease.name}, "spec": {"renewTime": time}}
    answer = api.admin.call("POST", lease.collection, body)
    assert answer.status == status
    if status == 201:
        assert answer.object["spec"]["renewTime"].endswith(".123456Z")
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}Z", micro_time())


@pytest.mark.parametrize(
    ("spec", "status"),
    [({"leaseDurationSeconds": 0}, 422), ({"leaseDurationSeconds": 1}, 201), ({"holderIdentity": ""}, 201)],
)
def test_what_a_lease_may_say(api, lease, spec, status):
    body = {"metadata": {"name": lease.name}, "spec": spec}
    assert status_of(api.admin, "POST", lease.collection, body) == status


def test_a_put_is_of_one_version(api, lease):
    old = lease.create("first")
    new = lease.steal("second")
    assert new["spec"]["leaseTransitions"] == 1
    assert status_of(api.admin, "PUT", lease.path, old) == 409
    del old["metadata"]["resourceVersion"]
    assert status_of(api.admin, "PUT", lease.path, old) == 422
    assert lease.holder == "second"


def test_a_put_with_its_uid_never_creates(api, lease):
    old = lease.create("first")
    lease.delete()
    assert lease.holder is None
    assert status_of(api.admin, "PUT", lease.path, old) in (404, 409)
    assert lease.holder is None
    lease.create("second")
    assert status_of(api.admin, "PUT", lease.path, old) == 409
    lease.delete()
    del old["metadata"]["uid"]
    assert status_of(api.admin, "PUT", lease.path, old) == 201, "without it, it does"


def test_a_bare_patch_asks_for_no_version(lease):
    lease.create("first")
    lease.annotate(phase="streaming")
    assert lease.phase == "streaming"
    lease.annotate(phase=None)
    assert lease.phase is None
    lease.empty()
    assert lease.holder == ""
    assert lease.read()["spec"]["leaseDurationSeconds"] == 1


APPLY = "application/apply-patch+yaml"


def test_an_apply_with_a_uid_is_of_one_object(api, namespace):
    """Even by force; and it never creates. So the operator writes over nothing that took a name meanwhile."""
    collection = f"/api/v1/namespaces/{namespace.name}/configmaps"
    path = f"{collection}/taken"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "taken"}, "data": {"a": "ours"}}
    query = f"{path}?fieldManager=ours&force=true"

    def apply(uid: str) -> int:
        with_uid = {**body, "metadata": {"name": "taken", "uid": uid}}
        return api.admin.call("PATCH", query, with_uid, APPLY).status

    uid = api.admin.call("PATCH", query, body, APPLY).object["metadata"]["uid"]
    assert apply(uid) == 200
    api.admin.delete(path)
    assert apply(uid) == 409
    assert api.admin.find(path) is None
    api.admin.post(collection, {"metadata": {"name": "taken"}, "data": {"a": "theirs"}})
    assert apply(uid) == 422, "a uid cannot be changed"
    assert api.admin.get(path)["data"] == {"a": "theirs"}


def test_an_apply_without_force_takes_no_value_of_others(api, namespace):
    collection = f"/api/v1/namespaces/{namespace.name}/configmaps"
    api.admin.post(collection, {"metadata": {"name": "taken"}, "data": {"a": "theirs"}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "taken"}, "data": {"a": "ours", "b": "c"}}
    answer = api.admin.call("PATCH", f"{collection}/taken?fieldManager=ours", body, APPLY)
    assert answer.status == 409, answer.object
    assert api.admin.get(f"{collection}/taken")["data"] == {"a": "theirs"}


def test_a_watch_from_a_version_that_never_was(api, lease):
    parameters = "resourceVersion=99999999999&resourceVersionMatch=NotOlderThan"
    answer = api.admin.call("GET", f"{lease.collection}?{parameters}")
    assert answer.status == 504 and "Too large resource version" in answer.object["message"]


def test_history_tells_every_change(lease):
    lease.create("first")
    with lease.recorded() as history:
        lease.annotate(phase="streaming")
        lease.steal("second")
        lease.delete()
        lease.create("third")
        wait_until(lambda: len(history.changes) == 5, "five changes were seen")
    assert history.holders == ["first", "second", "third"]
    kinds = ["ADDED", "MODIFIED", "MODIFIED", "DELETED", "ADDED"]
    assert [change.kind for change in history.changes] == kinds
    assert history.changes[2].transitions == 1
    assert history.changes[1].phase == "streaming"


# Who may do what


def test_worker_may_do_what_it_must(account, namespace, lease):
    worker = account.client()
    selector = f"fieldSelector=metadata.name%3D{lease.name}"
    made = worker.post(lease.collection, {"metadata": {"name": lease.name}})
    made["spec"] = {"holderIdentity": "worker", "leaseDurationSeconds": 15, "renewTime": micro_time()}
    worker.put(lease.path, made)
    assert worker.get(lease.path)["spec"]["holderIdentity"] == "worker"
    assert len(worker.get(f"{lease.collection}?{selector}")["items"]) == 1
    with worker.watch(lease.collection, fieldSelector=f"metadata.name={lease.name}") as watch:
        assert next(iter(watch))["type"] == "ADDED"
    events = f"/apis/events.k8s.io/v1/namespaces/{namespace.name}/events"
    worker.post(events, event(namespace, lease.name))
    series = {"series": {"count": 2, "lastObservedTime": micro_time()}}
    worker.patch(f"{events}/{lease.name}.1", series)
    (told,) = namespace.events()
    assert told["note"] == "It leads." and told["series"]["count"] == 2


def event(namespace, name: str) -> dict:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": name}
    return {
        "metadata": {"name": f"{name}.1"},
        "eventTime": micro_time(),
        "reportingController": "pqcdc.io/worker",
        "reportingInstance": "worker",
        "action": "Lead",
        "reason": "Leading",
        "type": "Normal",
        "note": "It leads.",
        "regarding": {**lease, "namespace": namespace.name},
    }


def test_worker_may_do_nothing_else(account, namespace, lease):
    lease.create()
    other = namespace.lease("other")
    other.create()
    elsewhere = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    core = f"/api/v1/namespaces/{namespace.name}"
    worker = account.client()
    for verb, path in (
        ("GET", other.path),
        ("PUT", other.path),
        ("GET", lease.collection),
        ("GET", f"{lease.collection}?watch=1"),
        ("GET", f"{lease.collection}?fieldSelector=metadata.name%3Dother"),
        ("PATCH", lease.path),
        ("DELETE", lease.path),
        ("DELETE", lease.collection),
        ("POST", elsewhere),
        ("GET", f"{core}/secrets"),
        ("GET", f"{core}/pods"),
        ("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace.name}/events"),
        ("POST", f"{core}/serviceaccounts/worker/token"),
    ):
        kind = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        body = None if verb == "GET" else other.read() if verb == "PUT" else {}
        answer = worker.call(verb, path, body, kind)
        assert answer.status == 403, f"{verb} {path}: {answer.status}"


def test_worker_without_its_role_is_denied(api, account, namespace, lease):
    lease.create()
    worker = account.client()
    worker.get(lease.path)
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace.name}"
    api.admin.delete(f"{rbac}/rolebindings/worker")
    wait_until(lambda: status_of(worker, "GET", lease.path) == 403, "it is denied")


# Tokens and files


def claims_of(token: str) -> dict:
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_token_lives_as_long_as_it_was_asked_for(account, lease):
    lease.create()
    claims = claims_of(account.token(1234))
    assert claims["exp"] - claims["iat"] == 1234
    with pytest.raises(ApiError) as refused:
        account.token(599)
    assert refused.value.status == 422
    assert status_of(account.server.client("no.such.token"), "GET", lease.path) == 401


def test_brief_token_works_and_then_does_not(account, lease):
    lease.create()
    worker = account.client(account.brief_token(2))
    assert status_of(worker, "GET", lease.path) == 200
    wait_until(lambda: status_of(worker, "GET", lease.path) == 401, "it is refused", timeout=60)


def test_mounted_files_change_all_at_once(account, tmp_path):
    directory = account.mount(tmp_path / "mount")
    first = (directory / "token").read_text()
    assert (directory / "namespace").read_text() == account.namespace.name
    assert (directory / "ca.crt").read_bytes() == account.server.authority.read_bytes()
    before = os.readlink(directory / "..data")
    account.mount(directory, "another")
    assert (directory / "token").read_text() == "another" != first
    assert os.readlink(directory / "..data") != before
    assert not (directory / before).exists()
    names = {"..data", os.readlink(directory / "..data"), "ca.crt", "namespace", "token"}
    assert {path.name for path in directory.iterdir()} == names


def test_process_finds_what_a_pod_does(account, lease, tmp_path):
    lease.create("somebody")
    in_a_pod = Path(MOUNT).exists()
    environment, prefix = account.in_cluster(account.mount(tmp_path / "mount"))
    script = (
        f'curl --silent --cacert {MOUNT}/ca.crt --header "Authorization: Bearer $(cat {MOUNT}/token)"'
        f" https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT{lease.path}"
    )
    command = [*prefix, "sh", "-c", script]
    said = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True)
    assert json.loads(said.stdout)["spec"]["holderIdentity"] == "somebody"
    assert Path(MOUNT).exists() == in_a_pod, "out here nothing has changed"


# What can be done to the server


def test_frozen_server_answers_when_it_is_thawed(api, lease):
    lease.create("before")
    stale = lease.read()
    statuses = []
    with api.frozen():
        with pytest.raises(TimeoutError):
            api.admin.call("GET", lease.path, timeout=0.5)
        late = threading.Thread(
            target=lambda: statuses.append(status_of(api.admin, "PUT", lease.path, stale))
        )
        late.start()
        late.join(0.5)
        assert not statuses
    late.join(30)
    assert statuses == [200]


def test_frozen_etcd_is_another_failure(api, lease):
    lease.create("before")
    with api.frozen("etcd"):
        assert api.admin.call("GET", "/version", timeout=5).status == 200
        with pytest.raises(TimeoutError):
            api.admin.call("GET", lease.path, timeout=0.5)
    assert lease.holder == "before"


@pytest.mark.parametrize("way", [ApiServer.kill, lambda api: api.run("stop", "kube-apiserver")])
def test_restarted_server_has_what_it_had(api, account, lease, way):
    made = lease.create("before")
    token = account.token()
    with lease.recorded() as history:
        way(api)
        assert not api.runs()
        with pytest.raises(ConnectionRefusedError):
            lease.read()
        api.start()
        assert lease.read()["metadata"] == made["metadata"]
        assert status_of(api.client(token), "GET", lease.path) == 200
        lease.steal("after")
        wait_until(lambda: history.holders == ["before", "after"], "the change was seen")


def test_etcd_that_died_comes_back(api, lease):
    lease.create("before")
    api.kill("etcd")
    assert not api.runs()
    api.start()
    assert lease.holder == "before"


def test_rotated_authority_is_another(api, account, lease, tmp_path):
    lease.create("before")
    old = tmp_path / "old.crt"
    old.write_bytes(api.authority.read_bytes())
    token = account.token()
    assert ApiClient(api.port, old, token=token).get(lease.path)
    api.rotate()
    with pytest.raises(ssl.SSLCertVerificationError):
        ApiClient(api.port, old, token=token).get(lease.path)
    assert api.client(token).get(lease.path), "the token is still good"
    assert lease.holder == "before", "and so is the administrator's certificate"


def test_server_is_frugal(api, say):
    sizes = {program: api.resident_mb(program) for program in ("kube-apiserver", "etcd")}
    say(", ".join(f"{program}: {size:.0f} MB" for program, size in sizes.items()))
    assert sum(sizes.values()) < 1000


# The script


@pytest.fixture
def script(tmp_path):
    """script(ARGUMENT...) -> (exit status, what it said); its port is script.port."""
    port = free_port(3)

    def run(*arguments: str, **variables: str) -> tuple[int, str]:
        own = {"K8S_STATE": str(tmp_path / "k8s"), "K8S_PORT": str(port)}
        environment = {**os.environ, **own, **variables}
        command = [str(LAB / "kubernetes.sh"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    run.port = port
    run.state = tmp_path / "k8s"
    return run


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_start_names_the_port_that_is_taken(script, offset):
    with socket.create_server(("127.0.0.1", script.port + offset)):
        status, said = script("start")
    assert status == UNAVAILABLE
    assert f"port {script.port + offset} is taken" in said
    assert not script.state.exists(), "nothing was begun"


def test_second_build_is_none(script):
    assert script("fetch") == (0, ""), "there is nothing to do, and nothing is said"


def test_script_knows_its_own(script):
    assert script("fetch", "doom")[0] == USAGE
    assert script("stop", "doom")[0] == USAGE
    status, said = script("status")
    assert status == 1 and "does not run" in said
    status, said = script("start")
    assert status == 0, said
    try:
        assert script("start")[0] == UNAVAILABLE
        assert script("status") == (0, said)
        os.kill(int(re.search(r"pid (\d+)", said)[1]), signal.SIGSTOP)  # even this one ends
    finally:
        assert script("kill")[0] == 0
    assert_ports_are_free(script.port)
    assert script("status")[0] == 1
    assert script("stop")[0] == 0


def test_failed_start_leaves_nothing(script):
    status, said = script("start", K8S_FLAGS="--no-such-option")
    assert status == UNAVAILABLE
    assert "no-such-option" in said and "did not get ready" in said
    assert_ports_are_free(script.port)


def assert_ports_are_free(first: int) -> None:
    for offset in range(3):
        with socket.create_server(("127.0.0.1", first + offset)):
            pass
