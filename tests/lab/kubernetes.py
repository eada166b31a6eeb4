"""The lab's Kubernetes for Python: the API server, who may do what there, and Leases.

    api = ApiServer(directory)
    api.start()
    space = api.namespace("shop")
    account = space.service_account("worker", worker_rules("orders"))
    account.mount(directory)                # what a pod finds of its service account
    lease = space.lease("orders")
    lease.steal("somebody")
    with lease.recorded() as history:       # every change of it, and when it was seen
        ...
"""

import base64
import http.client
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode

from lab.servers import LAB, Server, free_port

ISSUER = "https://kubernetes.default.svc.cluster.local"
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# The server lets a token live on for so long, since clocks differ.
LEEWAY_SECONDS = 60
WORKER_RULES = LAB.parents[1] / "charts/pqcdc/files/worker-role-rules.yaml"


def worker_rules(lease: str) -> str:
    """What the chart lets a worker do whose Lease has that name; YAML, the rules of a Role."""
    return WORKER_RULES.read_text().replace("LEASE_NAME", lease)


def micro_time(seconds: float | None = None) -> str:
    """As the server wants it: six digits of a second, neither more nor less."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def object(self) -> dict:
        return json.loads(self.body)


class ApiError(RuntimeError):
    def __init__(self, verb: str, path: str, answer: Answer):
        self.status = answer.status
        super().__init__(f"{verb} {path}: {answer.status} {answer.body.decode(errors='replace')[:500]}")


class ApiClient:
    """Speaks as one user, on a connection of its own for each call."""

    def __init__(
        self, port: int, authority: Path, key: tuple[Path, Path] | None = None, token: str | None = None
    ):
        """key: the files of a client's certificate and its key."""
        self.port = port
        self._authority = authority
        self._key = key
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def connect(self, timeout: float | None) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=self._authority)
        if self._key:
            context.load_cert_chain(*self._key)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def call(
        self,
        verb: str,
        path: str,
        body: dict | str | None = None,
        kind: str = "application/json",
        timeout: float = 30,
    ) -> Answer:
        """Whatever the server says. A body that is text is of that kind already."""
        connection = self.connect(timeout)
        try:
            text = json.dumps(body) if isinstance(body, dict) else body
            connection.request(verb, path, text, {**self._headers, "Content-Type": kind})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> dict:
        return self._object("GET", path)

    def find(self, path: str) -> dict | None:
        """None: it is not there."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def post(self, path: str, body: dict | str, kind: str = "application/json") -> dict:
        return self._object("POST", path, body, kind)

    def put(self, path: str, body: dict) -> dict:
        return self._object("PUT", path, body)

    def patch(self, path: str, changes: dict) -> dict:
        """A merge patch: None takes an entry away."""
        return self._object("PATCH", path, changes, "application/merge-patch+json")

    def delete(self, path: str) -> dict:
        return self._object("DELETE", path)

    def watch(self, path: str, **parameters: str) -> "Watch":
        return Watch(self, f"{path}?{urlencode({'watch': '1', **parameters})}")

    def _object(self, verb: str, path: str, *arguments) -> dict:
        answer = self.call(verb, path, *arguments)
        if answer.status >= 400:
            raise ApiError(verb, path, answer)
        return answer.object

    @property
    def headers(self) -> dict[str, str]:
        return dict(self._headers)


class Watch:
    """The events of a watch, as the server says them, until it ends or is closed."""

    def __init__(self, client: ApiClient, path: str):
        self._connection = client.connect(timeout=None)
        self._connection.request("GET", path, headers=client.headers)
        self._response = self._connection.getresponse()
        self._socket = self._connection.sock
        if self._response.status != 200:
            answer = Answer(self._response.status, self._response.headers, self._response.read())
            self._connection.close()
            raise ApiError("GET", path, answer)

    def __iter__(self) -> Iterator[dict]:
        with suppress(OSError, ValueError, http.client.HTTPException):
            for line in self._response:
                yield json.loads(line)

    def line(self) -> bytes:
        return self._response.readline()

    def close(self) -> None:
        """From any thread."""
        with suppress(OSError):
            self._socket.shutdown(2)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._connection.close()


class ApiServer(Server):
    """etcd and kube-apiserver; `admin` may do everything."""

    script = "kubernetes.sh"

    def __init__(self, state: Path, flags: str = ""):
        """flags: more options for kube-apiserver."""
        port = free_port(3)
        variables = {"K8S_STATE": str(state), "K8S_PORT": str(port), "K8S_FLAGS": flags}
        super().__init__(state, port, variables)
        self.pki = state / "pki"
        self.authority = self.pki / "ca.crt"
        self.admin = ApiClient(port, self.authority, (self.pki / "admin.crt", self.pki / "admin.key"))

    def stop(self) -> None:
        self.thaw()
        self.run("stop")

    def kill(self, program: str = "kube-apiserver") -> None:
        self.run("kill", program)

    def restart(self) -> None:
        """kube-apiserver alone, in peace; etcd goes on."""
        self.run("stop", "kube-apiserver")
        self.start()

    def compact(self, revision: int) -> None:
        """Whoever watches from before that revision is told that it is gone."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port + 1, timeout=30)
        try:
            connection.request("POST", "/v3/kv/compaction", json.dumps({"revision": revision, "physical": True}))
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
        finally:
            connection.close()

    def rotate(self) -> None:
        """From now on it is known by another authority. Tokens and clients' certificates stay good."""
        self.run("rotate")
        self.restart()

    def freeze(self, program: str = "kube-apiserver") -> None:
        os.kill(self.pid(program), signal.SIGSTOP)

    def thaw(self) -> None:
        for program in ("etcd", "kube-apiserver"):
            with suppress(OSError):
                os.kill(self.pid(program), signal.SIGCONT)

    @contextmanager
    def frozen(self, program: str = "kube-apiserver") -> Iterator[None]:
        """Its sockets stay open, and connections are accepted by the kernel; nobody answers."""
        self.freeze(program)
        try:
            yield
        finally:
            self.thaw()

    def mend(self) -> None:
        """Whatever was done to it: it runs again."""
        self.thaw()
        if not self.runs():
            self.start()

    def pid(self, program: str = "kube-apiserver") -> int:
        return int((self.state / f"{program}.pid").read_text().split()[0])

    def resident_mb(self, program: str = "kube-apiserver") -> float:
        pages = int(Path(f"/proc/{self.pid(program)}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def kubectl(self, *arguments: str) -> str:
        return self.run("kubectl", *arguments)

    def client(self, token: str) -> ApiClient:
        return ApiClient(self.port, self.authority, token=token)

    def namespace(self, name: str) -> "Namespace":
        """A new one."""
        self.admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
        return Namespace(self, name)

    def kubeconfig(
        self, path: Path, user: dict, namespace: str = "default", port: int | None = None, **cluster: str
    ) -> Path:
        """Writes one with that user's entries. port: another way to the server; cluster: entries of it,
        with _ for -."""
        entries = {
            "server": f"https://127.0.0.1:{port or self.port}",
            "certificate-authority": str(self.authority),
            **{name.replace("_", "-"): value for name, value in cluster.items()},
        }
        context = {"cluster": "lab", "user": "lab", "namespace": namespace}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": entries}],
            "users": [{"name": "lab", "user": user}],
            "contexts": [{"name": "lab", "context": context}],
            "current-context": "lab",
        }
        path.write_text(json.dumps(text, indent=2) + "\n")  # JSON is a part of YAML
        return path

    def admin_kubeconfig(self, path: Path, port: int | None = None) -> Path:
        key = {"client-certificate": str(self.pki / "admin.crt"), "client-key": str(self.pki / "admin.key")}
        return self.kubeconfig(path, key, port=port)


class Namespace:
    def __init__(self, server: ApiServer, name: str):
        self.server = server
        self.name = name

    def service_account(self, name: str, rules: str) -> "ServiceAccount":
        """With a Role of its own; rules: YAML, as worker_rules() makes them."""
        core = f"/api/v1/namespaces/{self.name}/serviceaccounts"
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.name}"
        metadata = {"name": name, "namespace": self.name}
        admin = self.server.admin
        account = admin.post(core, {"metadata": metadata})
        head = f"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: {name}}}\nrules:\n"
        admin.post(f"{rbac}/roles", head + rules, "application/yaml")
        binding = {
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        }
        admin.post(f"{rbac}/rolebindings", binding)
        return ServiceAccount(self, name, account["metadata"]["uid"])

    def cluster_account(self, name: str, rules: str) -> "ServiceAccount":
        """With those rights in every namespace; its ClusterRole is called as this namespace."""
        account = self.service_account(name, rules)
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        group = "rbac.authorization.k8s.io"
        head = f"apiVersion: {group}/v1\nkind: ClusterRole\nmetadata: {{name: {self.name}}}\nrules:\n"
        self.server.admin.post(f"{rbac}/clusterroles", head + rules, "application/yaml")
        binding = {
            "metadata": {"name": self.name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": self.name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.name}],
        }
        self.server.admin.post(f"{rbac}/clusterrolebindings", binding)
        return account

    def lease(self, name: str) -> "Lease":
        return Lease(self.server.admin, self.name, name)

    def events(self) -> list[dict]:
        """Those of events.k8s.io."""
        return self.server.admin.get(f"/apis/events.k8s.io/v1/namespaces/{self.name}/events")["items"]


class ServiceAccount:
    def __init__(self, namespace: Namespace, name: str, uid: str):
        self.namespace = namespace
        self.server = namespace.server
        self.name = name
        self.uid = uid

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace.name}/serviceaccounts/{self.name}"

    def token(self, seconds: int = 3600) -> str:
        """A new one from the server, which gives none for less than ten minutes."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return self.server.admin.post(f"{self._path}/token", request)["status"]["token"]

    def brief_token(self, seconds: float) -> str:
        """One that the server refuses after so many seconds, or as late as ten seconds after that, since
        it remembers that long whom it knows. Signed here with its key."""
        expires = int(time.time() + seconds) - LEEWAY_SECONDS
        claims = {
            "aud": [ISSUER],
            "exp": expires,
            "iat": expires - 600,
            "iss": ISSUER,
            "jti": secrets.token_hex(16),
            "kubernetes.io": {
                "namespace": self.namespace.name,
                "serviceaccount": {"name": self.name, "uid": self.uid},
            },
            "nbf": expires - 600,
            "sub": f"system:serviceaccount:{self.namespace.name}:{self.name}",
        }
        text = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", self.server.pki / "accounts.key"]
        signed = subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True)
        return b".".join((text, _base64(signed.stdout))).decode()

    def client(self, token: str | None = None) -> ApiClient:
        return self.server.client(token or self.token())

    def mount(self, directory: Path, token: str | None = None) -> Path:
        """Writes what a pod finds in MOUNT. Once more: all of it is replaced at once, as kubelet does it.
        Without a token: a new one."""
        files = {
            "ca.crt": self.server.authority.read_text(),
            "namespace": self.namespace.name,
            "token": token or self.token(),
        }
        link = directory / "..data"
        before = directory / os.readlink(link) if link.is_symlink() else None
        data = directory / f"..{time.time_ns()}"
        data.mkdir(parents=True)
        for name, text in files.items():
            (data / name).write_text(text)
        (directory / "..data_tmp").symlink_to(data.name)
        (directory / "..data_tmp").rename(link)
        for name in files if before is None else ():
            (directory / name).symlink_to(f"..data/{name}")
        if before is not None:
            shutil.rmtree(before)
        return directory

    def kubeconfig(self, path: Path, directory: Path, port: int | None = None) -> Path:
        """One for who has not MOUNT but that directory, which mount() wrote."""
        user = {"tokenFile": str(directory / "token")}
        authority = str(directory / "ca.crt")
        return self.server.kubeconfig(path, user, self.namespace.name, port, certificate_authority=authority)

    def in_cluster(self, directory: Path, port: int | None = None) -> tuple[dict[str, str], list[str]]:
        """The environment of a process that takes itself for one of a pod, and the command that it is the
        rest of: it finds that directory, which mount() wrote, as MOUNT. Needs root."""
        environment = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(port or self.server.port),
        }
        script = f'mount -t tmpfs none /run && mkdir -p {MOUNT} && mount --bind "$0" {MOUNT} && exec "$@"'
        return environment, ["unshare", "--mount", "sh", "-c", script, str(directory)]


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Lease:
    """One Lease through the eyes of the administrator."""

    def __init__(self, admin: ApiClient, namespace: str, name: str):
        self._admin = admin
        self.name = name
        self.collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.path = f"{self.collection}/{name}"

    def read(self) -> dict | None:
        return self._admin.find(self.path)

    @property
    def holder(self) -> str | None:
        """Empty: nobody; None: there is no such Lease."""
        lease = self.read()
        return None if lease is None else lease["spec"].get("holderIdentity", "")

    @property
    def phase(self) -> str | None:
        return phase_of(self.read() or {})

    def create(self, holder: str = "", seconds: int = 15, **spec) -> dict:
        now = micro_time()
        return self._admin.post(
            self.collection,
            {
                "metadata": {"name": self.name},
                "spec": {
                    "holderIdentity": holder,
                    "leaseDurationSeconds": seconds,
                    "leaseTransitions": 0,
                    "acquireTime": now,
                    "renewTime": now,
                    **spec,
                },
            },
        )

    def edit(self, changes: dict) -> dict:
        """A merge patch, whatever version it has: as a person does it."""
        return self._admin.patch(self.path, changes)

    def annotate(self, **annotations: str | None) -> dict:
        """phase, source, ...: those of pqcdc.io; None takes one away."""
        return self.edit(
            {"metadata": {"annotations": {f"pqcdc.io/{name}": value for name, value in annotations.items()}}}
        )

    def steal(self, holder: str, seconds: int = 15) -> dict:
        """As another candidate takes it over: on the version that is there."""
        lease = self.read()
        now = micro_time()
        lease["spec"].update(
            holderIdentity=holder,
            leaseDurationSeconds=seconds,
            leaseTransitions=lease["spec"].get("leaseTransitions", 0) + 1,
            acquireTime=now,
            renewTime=now,
        )
        return self._admin.put(self.path, lease)

    def empty(self) -> dict:
        return self.edit({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})

    def delete(self) -> None:
        self._admin.delete(self.path)

    @contextmanager
    def recorded(self) -> Iterator["LeaseHistory"]:
        history = LeaseHistory(self._admin, self)
        try:
            yield history
        finally:
            history.close()


def phase_of(lease: dict) -> str | None:
    return (lease.get("metadata", {}).get("annotations") or {}).get("pqcdc.io/phase")


@dataclass
class LeaseChange:
    seen: float  # time.monotonic()
    kind: str  # ADDED, MODIFIED, DELETED
    lease: dict

    @property
    def holder(self) -> str:
        return self.lease["spec"].get("holderIdentity", "")

    @property
    def transitions(self) -> int:
        return self.lease["spec"].get("leaseTransitions", 0)

    @property
    def phase(self) -> str | None:
        return phase_of(self.lease)


class LeaseHistory:
    """What became of a Lease from now on. What it was while the server was away is not known; what it is
    then is."""

    def __init__(self, admin: ApiClient, lease: Lease):
        self.changes: list[LeaseChange] = []
        self._admin = admin
        self._collection = lease.collection
        self._selector = {"fieldSelector": f"metadata.name={lease.name}"}
        self._watch: Watch | None = None
        self._closing = False
        self._list()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def holders(self) -> list[str]:
        """One after the other, without "nobody"; who held it twice in a row stands once."""
        names = [change.holder for change in self.changes if change.holder]
        return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]

    def close(self) -> None:
        self._closing = True
        if self._watch is not None:
            self._watch.close()
        self._thread.join(30)

    def _list(self) -> None:
        listed = self._admin.get(f"{self._collection}?{urlencode(self._selector)}")
        self._version = listed["metadata"]["resourceVersion"]
        for lease in listed["items"]:
            if not self.changes or self.changes[-1].lease["metadata"] != lease["metadata"]:
                self.changes.append(LeaseChange(time.monotonic(), "ADDED", lease))

    def _run(self) -> None:
        with suppress(OSError, http.client.HTTPException, ApiError):
            self._follow()
        while not self._closing:
            time.sleep(0.1)
            with suppress(OSError, http.client.HTTPException, ApiError):
                self._list()
                self._follow()

    def _follow(self) -> None:
        with self._admin.watch(
            self._collection, resourceVersion=self._version, **self._selector
        ) as self._watch:
            for event in () if self._closing else self._watch:
                if event["type"] == "ERROR":
                    return
                self.changes.append(LeaseChange(time.monotonic(), event["type"], event["object"]))
