"""A network namespace of a test's own, in which packets get lost. Needs root, iproute2, iptables.

    with Network() as network:
        with network.entered():         # this thread, and the processes that it starts, are inside
            ...
        with Proxy(port, port, network):   # what listens in there and forwards to out here
            network.lose(0.01)          # one packet in a hundred
            network.drop(port)          # every packet from and to that port: nobody is told
            network.forget(port)        # only those of connections that are open now
            network.heal()              # heal(port): what drop(port) did, once

Inside there is nothing but a loopback of its own, with the frame size of an Ethernet. Nothing has to
be removed: the kernel does, when the last process and descriptor that are inside have ended.
"""

import ctypes
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        error = os.strerror(ctypes.get_errno())
        raise RuntimeError(f"{what}: {error}; a network namespace needs root (CAP_SYS_ADMIN)")


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise RuntimeError(f"{command[0]} is missing: tests/lab/deps.sh test installs it") from None
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def unread_bytes(port: int) -> int:
    """What was said to the client at that loopback port and is not read yet."""
    with open("/proc/net/tcp") as table:
        rows = [row.split()[1:5] for row in list(table)[1:]]
    unread = 0
    for local, remote, _, queues in rows:
        sent, received = (int(size, 16) for size in queues.split(":"))
        unread += received if int(local.split(":")[1], 16) == port else 0
        unread += sent if int(remote.split(":")[1], 16) == port else 0
    return unread


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _inside(namespace: int) -> Iterator[None]:
    home = _own_namespace()
    _must(_libc.setns(namespace, CLONE_NEWNET), "setns")
    try:
        yield
    finally:
        _must(_libc.setns(home, CLONE_NEWNET), "setns")
        os.close(home)


@contextmanager
def network_of(pid: int) -> Iterator[None]:
    """The calling thread, and what it starts, is in the network of that process."""
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _inside(namespace):
            yield
    finally:
        os.close(namespace)


class Network:
    def __enter__(self) -> "Network":
        made: list[int | BaseException] = []
        maker = threading.Thread(target=self._make, args=(made,))  # setns() is of a thread
        maker.start()
        maker.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        self._namespace = made[0]
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._namespace)

    @staticmethod
    def _make(made: list) -> None:
        try:
            _must(_libc.unshare(CLONE_NEWNET), "unshare")
            _run("ip", "link", "set", "lo", "mtu", "1500", "up")
            made.append(_own_namespace())
        except BaseException as error:
            made.append(error)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside."""
        with _inside(self._namespace):
            yield

    def lose(self, share: float) -> None:
        self._rule("-m", "statistic", "--mode", "random", "--probability", str(share))

    def drop(self, port: int) -> None:
        self._rule("--dport", str(port))
        self._rule("--sport", str(port))

    def forget(self, port: int) -> None:
        with self.entered(), open("/proc/thread-self/net/tcp") as table:
            ends = [re.findall(r":([0-9A-F]{4}) ", row)[:2] for row in list(table)[1:]]
        for local, remote in ((int(local, 16), int(remote, 16)) for local, remote in ends):
            if remote == port:
                self._rule("--sport", str(local), "--dport", str(port))
                self._rule("--sport", str(port), "--dport", str(local))

    def heal(self, port: int | None = None) -> None:
        with self.entered():
            if port is None:
                _run("iptables", "-w", "-F", "INPUT")
                return
            for end in ("--dport", "--sport"):
                _run("iptables", "-w", "-D", "INPUT", "-p", "tcp", end, str(port), "-j", "DROP")

    def dropped(self) -> int:
        """Packets that were lost to the rules that stand."""
        with self.entered():
            rules = _run("iptables", "-w", "-L", "INPUT", "-v", "-n", "-x").splitlines()
        return sum(int(rule.split()[0]) for rule in rules if " DROP " in rule)

    def _rule(self, *match: str) -> None:
        with self.entered():
            _run("iptables", "-w", "-A", "INPUT", "-p", "tcp", *match, "-j", "DROP")
