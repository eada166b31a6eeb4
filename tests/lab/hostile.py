"""Peers that lie: proxies before a real PostgreSQL and a real Kafka that damage what the server says.

    peer.mood = moods.truncated       # from now on; a mood damages once, or for as long as it is set
    peer.mood = None                  # a good peer again

A mood is a function from one whole message of the server to the bytes that are said in its place, or to
None when it leaves this one alone; Hangup(bytes) says them and ends the connection.
"""

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress


class Hangup(bytes):
    """Said, and then nothing more."""


Mood = Callable[[bytes], bytes | None]


class Peer:
    """A proxy on a port of its own; a thread for each direction of each connection."""

    def __init__(self, target: int):
        self.target = target
        self.mood: Mood | None = None
        self.damages = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except ConnectionRefusedError:
                client.close()
                continue
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, EOFError):
            self.greet(client, server)
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            for message in self.messages(server):
                said = self._damaged(message)
                client.sendall(said)
                if isinstance(said, Hangup):
                    self._hang_up(client)
                    break
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _hang_up(client: socket.socket) -> None:
        """Reads on until the client goes: a connection that is closed over unread bytes is reset, and a reset
        overtakes what was said."""
        client.shutdown(socket.SHUT_WR)
        client.settimeout(5)
        while client.recv(65536):
            pass

    def _damaged(self, message: bytes) -> bytes:
        mood = self.mood
        said = mood(message) if mood else None
        if said is None:
            return message
        self.damages += 1
        return said

    @staticmethod
    def _forward(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while part := client.recv(65536):
                server.sendall(part)
            server.shutdown(socket.SHUT_WR)

    def greet(self, client: socket.socket, server: socket.socket) -> None:
        """What comes before the first message of the server."""

    def messages(self, server: socket.socket) -> Iterator[bytes]:
        raise NotImplementedError


def receive(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


class HostilePostgres(Peer):
    def greet(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            (size,) = struct.unpack(">I", head := receive(client, 4))
            body = receive(client, size - 4)
            if struct.unpack(">I", body[:4])[0] not in (80877103, 80877104):  # TLS, GSSAPI
                server.sendall(head + body)
                return
            client.sendall(b"N")

    def messages(self, server: socket.socket) -> Iterator[bytes]:
        while True:
            head = receive(server, 5)
            yield head + receive(server, struct.unpack(">I", head[1:])[0] - 4)


class HostileKafka(Peer):
    """Its broker's own address never reaches the client: all that is said passes here."""

    def messages(self, server: socket.socket) -> Iterator[bytes]:
        theirs = b"127.0.0.1" + struct.pack(">i", self.target)
        ours = b"127.0.0.1" + struct.pack(">i", self.port)
        while True:
            head = receive(server, 4)
            yield head + receive(server, struct.unpack(">I", head)[0]).replace(theirs, ours)


# PostgreSQL's messages: a type, the size without it, the body. CopyData is 'd'.


def framed(letter: bytes, body: bytes) -> bytes:
    return letter + struct.pack(">I", len(body) + 4) + body


def once(mood: Mood) -> Mood:
    """Damages one message only."""
    done = threading.Event()

    def damage(message: bytes) -> bytes | None:
        said = None if done.is_set() else mood(message)
        if said is not None:
            done.set()
        return said

    return damage


PAYLOAD = 5 + 25  # behind the frame and the head of a 'w' message
FIRST_VALUE_SIZE = PAYLOAD + 9  # of an Insert or a Delete whose first value is text


def is_wal(message: bytes, letters: bytes = b"BCIUD") -> bool:
    return message[:1] == b"d" and message[5:6] == b"w" and message[PAYLOAD : PAYLOAD + 1] in letters_of(letters)


def letters_of(letters: bytes) -> list[bytes]:
    return [bytes([letter]) for letter in letters]


def truncated(message: bytes) -> bytes | None:
    """A CopyData message, well framed, whose row ends in the middle."""
    return framed(b"d", message[5 : PAYLOAD + 12]) if is_wal(message, b"ID") else None


def short_head(message: bytes) -> bytes | None:
    return framed(b"d", message[5:20]) if is_wal(message) else None


def lying_size(message: bytes) -> bytes | None:
    """A value that claims to have 2 GiB."""
    if not is_wal(message, b"ID"):
        return None
    return message[:FIRST_VALUE_SIZE] + b"\x7f\xff\xff\xff" + message[FIRST_VALUE_SIZE + 4 :]


def unknown_row(message: bytes) -> bytes | None:
    return message[:PAYLOAD] + b"z" + message[PAYLOAD + 1 :] if is_wal(message, b"ID") else None


def unknown_copy_data(message: bytes) -> bytes | None:
    return framed(b"d", b"?" + message[6:]) if is_wal(message) else None


def begin_twice(message: bytes) -> bytes | None:
    return message + message if is_wal(message, b"B") else None


def commit_twice(message: bytes) -> bytes | None:
    return message + message if is_wal(message, b"C") else None


def huge_frame(message: bytes) -> bytes | None:
    """Says that 2 GiB follow, sends a little of it, and hangs up."""
    return Hangup(b"d\x7f\xff\xff\xf0w" + bytes(64 << 20)) if is_wal(message) else None


def negative_frame(message: bytes) -> bytes | None:
    return b"d\xff\xff\xff\xff" if is_wal(message) else None


def unknown_frame(message: bytes) -> bytes | None:
    return framed(b"~", b"what is this?") + message if is_wal(message) else None


def cut_frame(message: bytes) -> bytes | None:
    return Hangup(message[: len(message) // 2]) if is_wal(message, b"ID") else None


def error_response(message: bytes) -> bytes | None:
    body = b"SERROR\0VERROR\0CXX000\0Mthe disk speaks in tongues\0\0"
    return Hangup(framed(b"E", body)) if is_wal(message, b"ID") else None


def garbage(message: bytes) -> bytes | None:
    return random.Random(1).randbytes(65536) if is_wal(message, b"ID") else None


def notices(message: bytes) -> bytes | None:
    """20,000 notices, then the message itself."""
    notice = framed(b"N", b"SNOTICE\0VNOTICE\0C00000\0M" + b"listen! " * 100 + b"\0\0")
    return notice * 20000 + message if is_wal(message, b"I") else None


def garbage_after_login(message: bytes) -> bytes | None:
    """AuthenticationOk, and then nothing that makes sense."""
    return Hangup(message + random.Random(2).randbytes(4096)) if message[:1] == b"R" else None


# Kafka's answers: the size, the correlation, the body.


def kafka_cut(message: bytes) -> bytes:
    return Hangup(message[: len(message) // 2])


def kafka_huge_size(_: bytes) -> bytes:
    return Hangup(b"\x7f\xff\xff\xff" + bytes(1 << 20))


def kafka_negative_size(_: bytes) -> bytes:
    return b"\xff\xff\xff\xff" + bytes(64)


def kafka_other_correlation(message: bytes) -> bytes:
    (correlation,) = struct.unpack(">i", message[4:8])
    return message[:4] + struct.pack(">i", correlation ^ 0x55555555) + message[8:]


def kafka_absurd(message: bytes) -> bytes:
    """The right size and correlation; counts, sizes and codes beyond all bounds."""
    return message[:8] + b"\x7f" * (len(message) - 8)


def kafka_noise(message: bytes) -> bytes:
    return message[:8] + random.Random(len(message)).randbytes(len(message) - 8)
