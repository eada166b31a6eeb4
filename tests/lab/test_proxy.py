"""The proxy does what its methods say, and never changes a byte."""

import random
import socket
import threading
import time

import pytest

from lab.proxy import Proxy
from lab.waiting import wait_until


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    while data := connection.recv(65536):
                        connection.sendall(data)
                except OSError:
                    pass

        def accept() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def proxy(echo):
    with Proxy(echo) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with connect(proxy) as client:
        yield client


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=20)


def receive(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        assert piece, f"the end after {len(data)} of {size} bytes"
        data += piece
    return data


def exchange(client: socket.socket, data: bytes) -> float:
    """Sends it and reads it back; how long that took."""
    began = time.monotonic()
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert receive(client, len(data)) == data
    sender.join()
    return time.monotonic() - began


def silent(client: socket.socket, seconds: float = 0.3) -> bool:
    client.settimeout(seconds)
    try:
        return client.recv(1, socket.MSG_PEEK) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(20)


def test_nothing_is_changed(client, proxy):
    exchange(client, random.Random(1).randbytes(5 << 20))
    assert (proxy.accepted, proxy.connections) == (1, 1)


def test_an_end_is_passed_on_behind_the_data(client, proxy):
    proxy.delay(0.05)
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert receive(client, 10) == b"last words"
    assert client.recv(1) == b""
    wait_until(lambda: proxy.connections == 0, "the connection is over")


def test_a_delay_is_not_a_narrow_line(client, proxy):
    proxy.delay(0.2)
    assert 0.4 <= exchange(client, b"x") < 2
    # A piece at a time would take 80 pieces x 2 directions x 0.2 s.
    assert exchange(client, bytes(5 << 20)) < 8
    proxy.delay(0)
    assert exchange(client, b"x") < 0.4


def test_a_throttle_is_a_narrow_line(client, proxy):
    proxy.throttle(200_000)
    assert 0.9 <= exchange(client, bytes(200_000)) < 10
    proxy.throttle(None)
    assert exchange(client, bytes(200_000)) < 0.9


def test_a_stall_holds_everything_and_loses_nothing(client, proxy):
    exchange(client, b"warm")
    proxy.stall()
    data = random.Random(2).randbytes(100_000)
    client.sendall(data)
    with connect(proxy) as late:  # it is accepted ...
        late.sendall(b"hello")
        assert silent(client) and silent(late)  # ... but nobody answers
        proxy.go()
        assert receive(client, len(data)) == data
        assert receive(late, 5) == b"hello"


def test_a_cut_resets_both_sides(client, proxy):
    exchange(client, b"warm")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connect(proxy) as again:
        exchange(again, b"it still serves")


def test_refused_until_it_accepts(client, proxy):
    exchange(client, b"warm")
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    exchange(client, b"who was in stays in")
    proxy.accept()
    with connect(proxy) as again:
        exchange(again, b"back")


def test_a_target_that_is_away_resets():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with Proxy(port) as proxy, connect(proxy) as client, pytest.raises(ConnectionResetError):
        client.recv(1)


def test_heal_undoes_all_of_it(client, proxy):
    proxy.delay(30)
    proxy.throttle(1)
    proxy.stall()
    proxy.refuse()
    proxy.heal()
    assert exchange(client, b"well") < 1
    with connect(proxy) as again:
        assert exchange(again, b"well") < 1
