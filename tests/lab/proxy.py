"""A TCP proxy on loopback that can be slow, narrow, silent, rude or gone; changeable at any time.

    with Proxy(target_port=5432) as proxy:
        ...connect to 127.0.0.1:proxy.port...
        proxy.delay(0.2)        # each direction; what is on its way is kept in order, not held up one by one
        proxy.throttle(65536)   # bytes a second, each direction of each connection
        proxy.stall()           # accepts, and forwards nothing either way until go()
        proxy.cut()             # resets every connection
        proxy.refuse()          # new connections are refused until accept()
        proxy.heal()            # all of it undone

The target is looked for at each new connection; one that is away is told by a reset.
"""

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from lab.network import Network

T = TypeVar("T")
CHUNK_BYTES = 65536
ON_THE_WAY_BYTES = 16 << 20  # of one direction: what a long, fat line holds


class Proxy:
    def __init__(self, target_port: int, port: int = 0, network: Network | None = None):
        """network: where it listens, when that is another network namespace (lab/network.py)."""
        self._target_port = target_port
        self._network = network
        self.port = port
        self.delay_seconds = 0.0
        self.bytes_per_second: float | None = None
        self.accepted = 0  # connections, ever
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._go = self._call(asyncio.Event)
        self.heal()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        asyncio.run_coroutine_threadsafe(self._end_tasks(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def delay(self, seconds: float) -> None:
        self.delay_seconds = seconds

    def throttle(self, bytes_per_second: float | None) -> None:
        self.bytes_per_second = bytes_per_second

    def stall(self) -> None:
        self._call(self._go.clear)

    def go(self) -> None:
        self._call(self._go.set)

    def cut(self) -> None:
        self._call(lambda: [connection.reset() for connection in list(self._connections)])

    def refuse(self) -> None:
        self._call(self._close_listener)

    def accept(self) -> None:
        asyncio.run_coroutine_threadsafe(self._open_listener(), self._loop).result()

    def heal(self) -> None:
        self.delay(0)
        self.throttle(None)
        self.go()
        self.accept()

    @property
    def connections(self) -> int:
        return self._call(lambda: len(self._connections))

    # On the loop's thread

    def _call(self, function: Callable[[], T]) -> T:
        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open_listener(self) -> None:
        if self._server is None:
            with self._network.entered() if self._network else nullcontext():
                listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self.port = listener.getsockname()[1]
            self._server = await asyncio.start_server(self._serve, sock=listener)

    def _close_listener(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = _Connection(writer)
        self._connections.add(connection)
        try:
            await self._go.wait()  # a server that is stuck has not even looked at it
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            connection.writers.append(target_writer)
            async with asyncio.TaskGroup() as tasks:
                for end, other in ((reader, target_writer), (target_reader, writer)):
                    way = _Way(self._loop)
                    tasks.create_task(self._take(end, way))
                    tasks.create_task(self._give(way, other))
            connection.close()
        except* OSError:
            connection.reset()
        finally:
            self._connections.discard(connection)

    async def _take(self, reader: asyncio.StreamReader, way: "_Way") -> None:
        while True:
            await self._go.wait()
            data = await reader.read(CHUNK_BYTES)
            await way.put(data, self.delay_seconds)
            if not data:
                return

    async def _give(self, way: "_Way", writer: asyncio.StreamWriter) -> None:
        while data := await way.get():
            await self._go.wait()
            for piece in self._pieces(data):
                writer.write(piece)
                await writer.drain()
                if self.bytes_per_second is not None:
                    await asyncio.sleep(len(piece) / self.bytes_per_second)
        await self._go.wait()
        writer.write_eof()

    def _pieces(self, data: bytes) -> list[bytes]:
        rate = self.bytes_per_second
        size = len(data) if rate is None else max(1, int(rate / 20))
        return [data[start : start + size] for start in range(0, len(data), size)]


class _Connection:
    def __init__(self, writer: asyncio.StreamWriter):
        self.writers = [writer]

    def close(self) -> None:
        for writer in self.writers:
            writer.close()

    def reset(self) -> None:
        """Both sides see a reset, at once; one that is closed already sees nothing."""
        for writer in self.writers:
            if not writer.transport.is_closing():
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            writer.transport.abort()


class _Way:
    """What is between the two ends of one direction: each piece is due at its own time."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    async def put(self, data: bytes, delay: float) -> None:
        while self._bytes >= ON_THE_WAY_BYTES:
            await self._wait()
        self._pieces.append((self._loop.time() + delay, data))
        self._bytes += len(data)
        self._changed.set()

    async def get(self) -> bytes:
        while not self._pieces:
            await self._wait()
        due, data = self._pieces.popleft()
        await asyncio.sleep(due - self._loop.time())
        self._bytes -= len(data)
        self._changed.set()
        return data

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
