"""The namespace is apart, and loses what it is told to lose."""

import socket
import subprocess

import pytest

from lab.network import Network, unread_bytes
from lab.proxy import Proxy
from lab.waiting import wait_until


@pytest.fixture
def network():
    with Network() as network:
        yield network


@pytest.fixture
def echo():
    """A server out here that answers the first connection with one line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def dial(network: Network, port: int, timeout: float = 5) -> socket.socket:
    with network.entered():
        return socket.create_connection(("127.0.0.1", port), timeout)


def test_inside_is_another_loopback(network, echo):
    port = echo.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        dial(network, port)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass  # this thread is out again


def test_what_is_started_inside_stays_inside(network, echo):
    port = echo.getsockname()[1]
    with network.entered():
        inside = subprocess.Popen(
            ["/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], stderr=subprocess.DEVNULL
        )
    assert inside.wait(10) != 0, "it found the listener out here"


def test_a_proxy_leads_out(network, echo):
    port = echo.getsockname()[1]
    with Proxy(port, port, network), dial(network, port) as client:
        server = echo.accept()[0]
        with server:
            client.sendall(b"hello")
            assert server.recv(5) == b"hello"


def test_dropped_packets_tell_nobody(network, echo):
    port = echo.getsockname()[1]
    with Proxy(port, port, network), dial(network, port) as client:
        with echo.accept()[0] as server:
            network.drop(port)
            client.sendall(b"hello")
            server.settimeout(0.4)
            with pytest.raises(TimeoutError):
                server.recv(5)
            with pytest.raises(TimeoutError):
                dial(network, port, timeout=0.4)
            assert network.dropped() > 0
            network.heal()
            server.settimeout(10)
            assert server.recv(5) == b"hello", "it was sent again, as TCP does"


def test_forgotten_connections_are_silent_and_new_ones_are_not(network, echo):
    port = echo.getsockname()[1]
    with Proxy(port, port, network), dial(network, port) as old:
        with echo.accept()[0] as server:
            network.forget(port)
            old.sendall(b"hello")
            server.settimeout(0.4)
            with pytest.raises(TimeoutError):
                server.recv(5)
        with dial(network, port) as new, echo.accept()[0] as server:
            new.sendall(b"hello")
            assert server.recv(5) == b"hello"


def test_some_packets_are_lost(network, echo):
    port = echo.getsockname()[1]
    with Proxy(port, port, network), dial(network, port) as client:
        with echo.accept()[0] as server:
            network.lose(0.1)
            while network.dropped() == 0:
                client.sendall(b"again")
                assert server.recv(5, socket.MSG_WAITALL) == b"again"


def test_unread_bytes():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
            port = client.getsockname()[1]
            assert unread_bytes(port) == 0
            client.sendall(b"not to the client")
            assert unread_bytes(port) == 0
            server.sendall(b"12345")
            wait_until(lambda: unread_bytes(port) == 5, "it is there")
            assert client.recv(3) == b"123"
            assert unread_bytes(port) == 2
