"""Bodies of megabytes, and answers that a test holds back."""

import hashlib
import itertools
import os
import threading

import pytest

import http_raw

MIB = 1 << 20
BLOCK = os.urandom(MIB)


def body_of(size):
    """The same bytes for the same size, in pieces of up to 1 MiB; no two MiB alike."""
    for number in range((size + MIB - 1) // MIB):
        piece = number.to_bytes(8, "big") + BLOCK[8:]
        yield piece[: size - number * MIB]


def sha256_of(pieces):
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


class Held:
    """A streaming handler that the test steps through: it hands its exchange out and stays until released."""

    def __init__(self):
        self.exchanges = []
        self.arrived = threading.Semaphore(0)
        self.released = threading.Event()

    def __call__(self, exchange):
        self.exchanges.append(exchange)
        self.arrived.release()
        self.released.wait(100)

    def next(self, seconds=60):
        assert self.arrived.acquire(timeout=seconds), "the request did not reach the service"
        return self.exchanges[-1]

    def release(self):
        self.released.set()


@pytest.fixture
def held():
    made = Held()
    yield made
    made.release()


class Download:
    """An answer of `mib` MiB to that visitor, who has read its beginning; the service holds the rest back. Its path is /long."""

    def __init__(self, connection, host, held, mib):
        connection.send(http_raw.build(target="/long", host=host))
        self.mib, self.exchange = mib, held.next()
        self.exchange.head(200, ("Content-Length", mib * MIB))
        self.exchange.send(BLOCK)
        self.pieces = connection.pieces(connection.read_head())
        self.begin = next(self.pieces)

    def finish(self):
        """The service sends the rest, and all of it arrives."""
        sender = threading.Thread(target=lambda: [self.exchange.send(BLOCK) for _ in range(self.mib - 1)], daemon=True)
        sender.start()
        assert sha256_of(itertools.chain([self.begin], self.pieces)) == sha256_of([BLOCK] * self.mib)
        sender.join(10)
