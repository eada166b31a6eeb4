"""pqcdc-operator under test: the process, Connectors and what belongs to them, pods that somebody says run.

    with Operator(program, directory, account, namespaces=["shop"]) as operator:
        operator.start()
        operator.wait_leads()
    shop = Shop(namespace)
    shop.create("orders", paused=True)
    shop.wait_condition("orders", "Ready", "False", "Paused")
    with Pods(shop, "orders", port) as pods:    # there is no kubelet: we say that they run, and answer
        pods.add("a", state="streaming")
"""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab import processes
from lab.kubernetes import ApiServer, Namespace
from lab.servers import LAB, free_port
from lab.waiting import patient, wait_until

ROOT = LAB.parents[1]
RULES = ROOT / "charts/pqcdc/files/operator-role-rules.yaml"
IMAGE = "registry.example/pqcdc:1"
MANAGED = "app.kubernetes.io/managed-by=pqcdc-operator"

# Kind -> the path of its collection, without the namespace's part.
KINDS = {
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Service": ("/api/v1", "services"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Pod": ("/api/v1", "pods"),
    "Connector": ("/apis/pqcdc.io/v1alpha1", "connectors"),
}
CHILDREN = [kind for kind in KINDS if kind not in ("Job", "Pod", "Connector")]


def operator_rules() -> str:
    return RULES.read_text()


class Operator:
    """One replica. It reaches the server by the port: another than the server's own leads through faults."""

    def __init__(
        self,
        program: Path,
        directory: Path,
        kubeconfig: Path,
        namespaces: Sequence[str],
        arguments: Sequence[str] = (),
        own_namespace: str | None = None,
    ):
        """namespaces: none = all; then own_namespace is where its Lease is."""
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = directory / "stderr"
        self.identity = directory.name
        self._command = [
            str(program),
            f"--kubeconfig={kubeconfig}",
            f"--watch-namespaces={','.join(namespaces)}",
            f"--namespace={own_namespace or namespaces[0]}",
            f"--identity={self.identity}",
            f"--worker-image={IMAGE}",
            f"--http-port={self.port}",
            *arguments,
        ]
        self.process: subprocess.Popen | None = None

    def start(self, fault: str | None = None) -> "Operator":
        """fault: as PQCDC_FAULT has it."""
        environment = {**os.environ, **({"PQCDC_FAULT": fault} if fault else {})}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None, "the operator was not started"
        return self.process.pid

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def get(self, path: str) -> tuple[int, str]:
        """(0, "") = nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def status(self) -> dict:
        code, text = self.get("/status")
        return json.loads(text) if code == 200 else {}

    def metrics(self) -> dict[str, float]:
        """With their labels, as they are written."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def wait(self, condition: Callable, what: str, timeout: float = 30):
        def alive_and() -> object:
            assert self.alive(), f"the operator ended: {self.process and self.process.returncode}\n{self.tail()}"
            return condition()

        try:
            return wait_until(alive_and, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def wait_ready(self, timeout: float = 30) -> None:
        self.wait(lambda: self.get("/readyz")[0] == 200, "the operator is ready", timeout)

    def wait_leads(self, timeout: float = 30) -> None:
        self.wait(lambda: self.status().get("leads") and self.status()["complete"], "it leads", timeout)

    def wait_exit(self, timeout: float = 30) -> int:
        assert self.process is not None
        return self.process.wait(patient(timeout))

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_exit()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def frozen(self):
        return processes.frozen(self.pid)

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def lines(self, text: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if text in line]

    def tail(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-30:]) if self.log.exists() else ""

    def close(self) -> None:
        if self.alive():
            processes.thaw(self.pid)
            self.kill()


class Shop:
    """A namespace with Connectors, through the eyes of the administrator."""

    def __init__(self, namespace: Namespace):
        self.api = namespace.server.admin
        self.name = namespace.name
        self.namespace = namespace

    def path(self, kind: str, name: str = "") -> str:
        api, plural = KINDS[kind]
        return f"{api}/namespaces/{self.name}/{plural}{'/' if name else ''}{name}"

    def objects(self, kind: str, selector: str = MANAGED) -> list[dict]:
        return self.api.get(f"{self.path(kind)}?labelSelector={selector.replace('=', '%3D')}")["items"]

    # Connectors

    def create(self, name: str, slot: str | None = None, host: str = "db.example", **spec) -> dict:
        body = {
            "apiVersion": "pqcdc.io/v1alpha1",
            "kind": "Connector",
            "metadata": {"name": name, "namespace": self.name},
            "spec": {
                "cdc": {
                    "host": host,
                    "username": "cdc",
                    "database": "shop",
                    "password": {"secretRef": {"name": "database", "key": "password"}},
                    "publication": {"name": "pub", "tables": [{"name": "orders"}]},
                    "slot": {"name": slot or name.replace("-", "_")},
                },
                "kafka": {"brokers": ["kafka.example:9092"], "topicTemplate": "{table}"},
                **spec,
            },
        }
        return self.api.post(self.path("Connector"), body)

    def connector(self, name: str) -> dict | None:
        return self.api.find(self.path("Connector", name))

    def edit(self, name: str, changes: dict) -> dict:
        return self.api.patch(self.path("Connector", name), changes)

    def delete(self, name: str) -> None:
        self.api.delete(self.path("Connector", name))

    def status(self, name: str) -> dict:
        return (self.connector(name) or {}).get("status", {})

    def condition(self, name: str, kind: str) -> dict:
        found = [each for each in self.status(name).get("conditions", []) if each["type"] == kind]
        return found[0] if found else {}

    def wait_condition(self, name: str, kind: str, status: str, reason: str | None = None, timeout: float = 30):
        def holds() -> dict | None:
            condition = self.condition(name, kind)
            fits = condition.get("status") == status and reason in (None, condition.get("reason"))
            return condition if fits else None

        try:
            return wait_until(holds, f"{kind} of {name} becomes {status} ({reason})", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(self.status(name), indent=1)}") from None

    def wait_observed(self, name: str, timeout: float = 30) -> dict:
        """The status is about the spec as it is."""

        def observed() -> dict | None:
            connector = self.connector(name) or {}
            generation = connector.get("metadata", {}).get("generation")
            status = connector.get("status", {})
            return status if generation and status.get("observedGeneration") == generation else None

        return wait_until(observed, f"the status of {name} is about its generation", timeout)

    def wait_gone(self, name: str) -> None:
        wait_until(lambda: self.connector(name) is None, f"{name} is gone")

    # What belongs to them

    def child(self, kind: str, name: str) -> dict | None:
        return self.api.find(self.path(kind, f"pqcdc-{name}"))

    def wait_children(self, name: str, timeout: float = 30) -> dict[str, dict]:
        """All kinds that every Connector has."""

        def all_there() -> dict[str, dict] | None:
            found = {kind: self.child(kind, name) for kind in CHILDREN}
            return found if all(found.values()) else None

        return wait_until(all_there, f"the children of {name} are there", timeout)

    def versions(self) -> dict[str, str]:
        """Of everything: who writes something changes one."""
        objects = [(kind, each) for kind in (*CHILDREN, "Job", "Pod") for each in self.objects(kind)]
        objects += [("Connector", each) for each in self.api.get(self.path("Connector"))["items"]]
        return {
            f"{kind}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for kind, each in objects
        }

    def essence(self) -> dict[str, dict]:
        """Of everything, without what says when and in which order it was made."""
        out = {}
        for kind in (*CHILDREN, "Job"):
            for each in self.objects(kind):
                out[f"{kind}/{each['metadata']['name']}"] = _essence(each)
        for each in self.api.get(self.path("Connector"))["items"]:
            out[f"Connector/{each['metadata']['name']}"] = _essence(each)
        return out

    def events(self) -> list[dict]:
        return self.namespace.events()


ACCIDENTAL = {
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "lastTransitionTime",
    "time",
    "generation",
    "observedGeneration",
    "clusterIP",
    "clusterIPs",
    "namespace",
}


def _essence(value):
    if isinstance(value, dict):
        return {key: _essence(each) for key, each in value.items() if key not in ACCIDENTAL}
    if isinstance(value, list):
        return [_essence(each) for each in value]
    return value


def worker_status(state: str, pod: str, leads: bool, **changes) -> dict:
    """What a worker's GET /status says, as far as an operator reads it."""
    return {
        "status": "OK",
        "role": "active" if state == "streaming" else "passive",
        "state": state,
        "state_since_unix_ms": 1767323045678,
        "reason": None,
        "database": {"seen": True, "error": None},
        "brokers": {"reached": True, "error": None},
        "kafka_connected": True,
        "received_lsn": "0/2000",
        "confirmed_lsn": "0/2000",
        "current_lsn": "0/2000",
        "lag_bytes": 0,
        "lag_ms": 0,
        "transactions_unconfirmed": 0,
        "lease": {
            "name": "pqcdc",
            "identity": f"{pod}_11111111-2222-4333-8444-555555555555",
            "leads": leads,
            "state": "leading" if leads else "following",
            "holder": f"{pod}_11111111-2222-4333-8444-555555555555" if leads else None,
            "phase": "streaming" if leads else None,
            "transitions": 1,
            "error": None,
        },
        "slot": {
            "name": "orders",
            "type": "logical",
            "exists": True,
            "active": state == "streaming",
            "confirmedFlushLSN": "0/2000",
            "currentLSN": "0/2000",
            "restartLSN": "0/1000",
            "lag": 0,
            "retainedWALSize": 4096,
            "walStatus": "reserved",
            "safeWALSize": -1,
            "ageMs": 3,
        },
        **changes,
    }


Body = dict | str | Callable[[], str]


class Pods:
    """Pods of a Connector, each with an address of loopback and a port where it answers."""

    def __init__(self, shop: Shop, connector: str, port: int):
        self.shop = shop
        self.connector = connector
        self.port = port
        self.visits: dict[str, int] = {}
        self._servers: dict[str, ThreadingHTTPServer] = {}
        self._bodies: dict[str, Body] = {}

    def add(self, suffix: str, body: Body | None = None, labels: dict | None = None) -> str:
        """As the Deployment's template has it; its name. body: what it says; text = that text, a function
        = what it gives at each visit."""
        deployment = self.shop.child("Deployment", self.connector) or {}
        template = deployment["spec"]["template"]
        name = f"pqcdc-{self.connector}-{suffix}"
        metadata = {
            "name": name,
            "labels": {**template["metadata"]["labels"], **(labels or {})},
            "annotations": template["metadata"].get("annotations", {}),
        }
        pod = {"metadata": metadata, "spec": template["spec"]}
        self.shop.api.post(self.shop.path("Pod"), pod)
        address = f"127.0.{_octets(self.shop.name, name)}"
        self._bodies[name] = body if body is not None else worker_status("standby", name, False)
        self._serve(name, address)
        self.say_it_runs(name, address)
        return name

    def say(self, name: str, body: Body) -> None:
        self._bodies[name] = body

    def silence(self, name: str) -> None:
        """Its port is closed from now on."""
        server = self._servers.pop(name)
        server.shutdown()
        server.server_close()

    def say_it_runs(self, name: str, address: str) -> None:
        now = "2026-01-02T03:04:05Z"
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
            "containerStatuses": [
                {
                    "name": "worker",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "image": IMAGE,
                    "imageID": "",
                    "state": {"running": {"startedAt": now}},
                }
            ],
        }
        self.shop.api.patch(f"{self.shop.path('Pod', name)}/status", {"status": status})

    def say_it_waits(self, name: str, reason: str, message: str) -> None:
        waiting = {"reason": reason, "message": message}
        container = {
            "name": "worker",
            "ready": False,
            "restartCount": 0,
            "image": IMAGE,
            "imageID": "",
            "state": {"waiting": waiting},
        }
        status = {"phase": "Pending", "containerStatuses": [container], "conditions": []}
        self.shop.api.patch(f"{self.shop.path('Pod', name)}/status", {"status": status})

    def remove(self, name: str) -> None:
        if name in self._servers:
            self.silence(name)
        self.shop.api.call("DELETE", f"{self.shop.path('Pod', name)}?gracePeriodSeconds=0")

    def metadata(self, name: str) -> dict:
        return self.shop.api.get(self.shop.path("Pod", name))["metadata"]

    def _serve(self, name: str, address: str) -> None:
        pods = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pods.visits[name] = pods.visits.get(name, 0) + 1
                said = pods._bodies[name]
                body = said() if callable(said) else said
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer((address, self.port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._servers[name] = server

    def __enter__(self) -> "Pods":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._servers):
            self.silence(name)


def _octets(*names: str) -> str:
    """The last two of an address that is this pod's alone, nearly."""
    number = hash(names) % (250 * 250)
    return f"{1 + number // 250}.{1 + number % 250}"


def requests_of(api: ApiServer) -> dict[str, float]:
    """How many requests the server has answered, by its own count: verb and resource -> number."""
    text = api.admin.call("GET", "/metrics").body.decode()
    out: dict[str, float] = {}
    for line in text.splitlines():
        match = re.match(r"apiserver_request_total\{(.*)\} (\S+)$", line)
        if match:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match.group(1)))
            key = f"{labels.get('verb')} {labels.get('group')}/{labels.get('resource')}"
            out[key] = out.get(key, 0) + float(match.group(2))
    return out
