"""The lab's cluster for Python: one node that runs pods, and what a test has in it.

    cluster = KubeCluster(Path("/tmp/cluster"))
    cluster.up()
    with cluster.entered():                 # this process is in the cluster's network: servers that it starts
        cluster.load(build_image())         # there and that listen on NODE_IP are reached by pods
        space = cluster.space("shop")
        space.apply({"kind": ...})
"""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from lab.image import Image
from lab.kubernetes import ApiClient
from lab.network import network_of
from lab.servers import LAB
from lab.waiting import patient, wait_until

NODE, NODE_IP = "node-1", "10.197.0.10"
API_PORT = 6443
# Where the API server has the kinds that are looked at often: kubectl takes many times as long.
PLACES = {
    "pod": "/api/v1/{}/pods",
    "service": "/api/v1/{}/services",
    "configmap": "/api/v1/{}/configmaps",
    "serviceaccount": "/api/v1/{}/serviceaccounts",
    "deployment": "/apis/apps/v1/{}/deployments",
    "role": "/apis/rbac.authorization.k8s.io/v1/{}/roles",
    "rolebinding": "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
    "poddisruptionbudget": "/apis/policy/v1/{}/poddisruptionbudgets",
    "networkpolicy": "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "lease": "/apis/coordination.k8s.io/v1/{}/leases",
    "event": "/apis/events.k8s.io/v1/{}/events",
    "connector": "/apis/pqcdc.io/v1alpha1/{}/connectors",
}
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def within(seconds: float) -> str:
    """An option of kubectl and helm: how long they wait."""
    return f"--timeout={patient(seconds):.0f}s"


class Refused(RuntimeError):
    """What the API server, or Helm, did not take."""


class KubeCluster:
    def __init__(self, state: Path):
        """state: a short path, as there are sockets in it."""
        self.state = state
        self.environment = {**os.environ, "CLUSTER_STATE": str(state)}
        self.kubeconfig = state / "kubeconfig/admin"

    def run(self, *arguments: str, text: str | None = None) -> str:
        """cluster.sh; text: its standard input."""
        done = subprocess.run(
            [LAB / "cluster.sh", *arguments],
            env=self.environment,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            text=True,
            capture_output=True,
        )
        if done.returncode != 0:
            raise Refused(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def up(self) -> None:
        subprocess.run([LAB / "cluster.sh", "up"], env=self.environment, check=True)

    def down(self, logs: Path) -> None:
        """Ends it; its logs stay there."""
        self.run("down")
        shutil.rmtree(logs, ignore_errors=True)
        shutil.copytree(self.state / "log", logs, ignore_dangling_symlinks=True)
        shutil.rmtree(self.state)

    @contextmanager
    def entered(self) -> Iterator[None]:
        with network_of(int((self.state / "pid/holder").read_text().split()[0])):
            yield

    @cached_property
    def api(self) -> ApiClient:
        """As the administrator; from inside the cluster's network."""
        keys = self.state / "keys"
        return ApiClient(API_PORT, keys / "ca.crt", (keys / "admin.crt", keys / "admin.key"))

    @contextmanager
    def locked(self, what: str, shared: bool = False) -> Iterator[None]:
        """Against other processes that use this cluster."""
        with open(self.state / f"{what}.lock", "a") as file:
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield

    def load(self, image: Image) -> None:
        """What is loaded already is not loaded again."""
        loaded = self.state / "loaded"
        with self.locked("image"):
            if not loaded.exists() or loaded.read_text() != image.digest():
                self.run("load", str(image.archive))
                loaded.write_text(image.digest())

    def tag(self, image: Image, tag: str, repository: str = "") -> str:
        """Another name of the image."""
        name = f"{repository or image.name.rpartition(':')[0]}:{tag}"
        self.run("ctr", "images", "tag", "--force", image.name, name)
        return name

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return self.run("kubectl", *arguments, text=text)

    def helm(self, major: int, *arguments: str) -> str:
        done = subprocess.run(
            [LAB / "helm.sh", "run", str(major), *arguments],
            env={**self.environment, "KUBECONFIG": str(self.kubeconfig)},
            text=True,
            capture_output=True,
        )
        if done.returncode != 0:
            raise Refused(f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, *objects: dict) -> None:
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(document))

    def space(self, name: str) -> "Space":
        """A namespace of that name, whose pods must be restricted ones."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
        return Space(self, name)


class Space:
    """A namespace of the cluster."""

    def __init__(self, cluster: KubeCluster, name: str):
        self.cluster = cluster
        self.name = name

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.name, *arguments, text=text)

    def helm(self, major: int, *arguments: str) -> str:
        return self.cluster.helm(major, *arguments, "--namespace", self.name)

    def apply(self, *objects: dict) -> None:
        self.cluster.apply(*({**each, "metadata": {**each["metadata"], "namespace": self.name}} for each in objects))

    def place(self, kind: str) -> str:
        return PLACES[kind].format(f"namespaces/{self.name}")

    def list(self, kind: str, selector: str = "") -> list[dict]:
        return self.cluster.api.get(f"{self.place(kind)}?labelSelector={quote(selector)}")["items"]

    def find(self, kind: str, name: str) -> dict | None:
        """None: it is not there."""
        return self.cluster.api.find(f"{self.place(kind)}/{name}")

    def get(self, kind: str, name: str) -> dict:
        found = self.find(kind, name)
        assert found is not None, f"no {kind} {name} in {self.name}"
        return found

    def secret(self, name: str, **values: str) -> None:
        """Made, or given other values."""
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values})

    def forward(self, name: str, port: int, target: int) -> None:
        """A Service before what listens there beside the cluster."""
        labels = {"kubernetes.io/service-name": name}
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}],
            "ports": [{"name": "main", "port": target}],
        }
        spec = {"ports": [{"name": "main", "port": port}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        self.apply(service, slice_)

    def remove(self) -> None:
        """Until nothing runs in it; the rest goes by itself. Pods are not left to the namespace's controller,
        which comes to them late."""
        self.cluster.kubectl("delete", "namespace", self.name, "--ignore-not-found", "--wait=false")
        self.cluster.api.delete(self.place("pod"))
        wait_until(lambda: not self.list("pod"), f"no pod is left in {self.name}", 120, interval=0.1)


class Pods:
    """The pods of one connector, which a selector finds."""

    def __init__(self, space: Space, selector: str):
        self.space = space
        self.selector = selector

    def all(self) -> list[dict]:
        """Those that are not on their way out."""
        pods = self.space.list("pod", self.selector)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def names(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.all()}

    def restarts(self) -> int:
        return sum(s["restartCount"] for pod in self.all() for s in pod["status"].get("containerStatuses", ()))

    def statuses(self) -> dict[str, dict]:
        """Pod -> what it says at /status, of those that answer."""
        answers = {pod["metadata"]["name"]: status_of(pod) for pod in self.all()}
        return {name: answer for name, answer in answers.items() if answer}

    def leader(self) -> str | None:
        """The pod that streams."""
        leaders = [n for n, status in self.statuses().items() if status["state"] == "streaming"]
        return leaders[0] if leaders else None

    def wait_leader(self, timeout: float = 60, other_than: str | None = None) -> str:
        def found() -> str | None:
            leader = self.leader()
            return leader if leader != other_than else None

        try:
            return wait_until(found, "a pod streams", timeout, interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.describe()}") from None

    def wait_ready(self, count: int, timeout: float = 60) -> None:
        """That many pods, all ready, and none on its way out."""

        def ready() -> bool:
            pods = self.space.list("pod", self.selector)
            return len(pods) == count and all(is_ready(pod) for pod in pods)

        try:
            wait_until(ready, f"{count} pods are ready", timeout, interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.describe()}") from None

    def describe(self) -> str:
        logs = self.space.kubectl("logs", "--selector", self.selector, "--tail=15", "--prefix", "--ignore-errors")
        return f"{self.space.kubectl('get', 'pods', '--output', 'wide')}\n{self.statuses()}\n{logs}"

    def kill(self, name: str) -> None:
        """SIGKILL to the first process of its container."""
        os.kill(first_process(self.space.get("pod", name)), signal.SIGKILL)

    def resident_mib(self) -> list[float]:
        """What the process of each pod holds in memory."""
        texts = [Path(f"/proc/{first_process(pod)}/status").read_text() for pod in self.all()]
        return [int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024 for text in texts]


def is_ready(pod: dict) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def status_of(pod: dict) -> dict | None:
    """What its worker says at /status; None: nothing."""
    try:
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:8080/status", timeout=2) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:  # 503 has the same body
        return json.load(error)
    except (OSError, KeyError, ValueError):
        return None


def first_process(pod: dict) -> int:
    """Of its only container, as it is known outside the cluster."""
    (status,) = pod["status"]["containerStatuses"]
    container = status["containerID"].rpartition("/")[2]
    for procs in Path("/sys/fs/cgroup").glob(f"**/pod{pod['metadata']['uid']}/{container}/cgroup.procs"):
        pids = sorted(int(pid) for pid in procs.read_text().split())
        if pids:
            return pids[0]
    raise AssertionError(f"no process of container {container}")
