#!/usr/bin/env python3
"""Compares what we take for a request with what Python's h11 and nginx do: what two of them call a request must be the same one,
and end at the same byte. Whatever one of them refuses says nothing: there the connection ends.

    differential.py [SECONDS] [--seed N] [--with h11|nginx]  for so long (30), from inputs of a grammar of doubtful requests

`./dev fuzz --differential` builds what it runs (reads_requests.c). A find is kept in build/fuzz/found, and
`differential.py --file FILE` shows it once more.
"""

import argparse
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import h11

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fuzz
import nginx
from request import Request

READER = fuzz.BUILD / "bin/reads_requests"


# ---- the parsers; nginx is nginx.py's ----


class Ours:
    def __init__(self, program: Path = READER):
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, data: bytes) -> list[Request]:
        self.process.stdin.write(struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        requests = []
        while (line := self.process.stdout.readline()) not in (b"\n", b""):
            words = line.decode().split()
            if len(words) == 5:
                requests.append(self.request(words))
        if not line:
            raise RuntimeError(f"reads_requests ended ({self.process.wait()})")
        return requests

    @staticmethod
    def request(words: list[str]) -> Request:
        plain = [bytes.fromhex("" if word == "-" else word) for word in (words[0], words[1], words[3])]
        fields = [tuple(bytes.fromhex("" if half == "-" else half) for half in field.split("="))
                  for field in words[2].split(";") if "=" in field]
        return Request(plain[0], plain[1], fields, plain[2], words[4])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def answer(connection: h11.Connection) -> bool:
    """So that a further request may be read; False: none can be."""
    if connection.our_state is h11.SEND_RESPONSE or connection.our_state is h11.MIGHT_SWITCH_PROTOCOL:
        connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        connection.send(h11.EndOfMessage())
    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True


def h11_requests(data: bytes) -> list[Request]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    requests: list[Request] = []
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                requests.append(Request(event.method, event.target, list(event.headers)))
            elif isinstance(event, h11.Data):
                requests[-1].body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                requests[-1].state = "other" if connection.their_state is h11.MIGHT_SWITCH_PROTOCOL else "whole"
                if requests[-1].state == "other" or not answer(connection):
                    return requests
            else:
                return requests
    except h11.RemoteProtocolError:
        if requests and requests[-1].state == "part":
            requests[-1].state = "cut"
        return requests


FRAMING = (b"content-length", b"transfer-encoding", b"host")


def seen(request: Request) -> tuple:
    """Of its fields those that decide, as h11 writes them: in lower case."""
    return request.method, request.target, [sorted(request.values(name)) for name in FRAMING], len(request.fields)


class H11:
    name = "h11"

    @staticmethod
    def read(data: bytes) -> list[Request]:
        return h11_requests(data)

    @staticmethod
    def differs(ours: Request, theirs: Request) -> str:
        return "" if seen(ours) == seen(theirs) else f"{seen(ours)}, {seen(theirs)}"

    def close(self) -> None:
        pass


PARSERS = {"h11": H11, "nginx": nginx.Nginx}


# ---- what they must agree on ----


def difference(ours: list[Request], others: list[Request], differs=H11.differs) -> str:
    """"": none."""
    for number, (one, other) in enumerate(zip(ours, others), 1):
        if what := differs(one, other):
            return f"request {number} is another one: {what}"
        if one.state == other.state == "whole" and one.body != other.body:
            return f"request {number} has another body: {one.body}, {other.body}"
        if one.state != "whole" or other.state != "whole":
            return part_difference(number, one, other)
    return ""


def part_difference(number: int, one: Request, other: Request) -> str:
    """Of a request that not both took whole: the bytes so far must agree, and only who refuses may stop before its end."""
    if "other" in (one.state, other.state):  # only one of them may take the offer to switch
        return ""
    size = min(len(one.body), len(other.body))
    waits = {one.state, other.state} == {"part", "whole"}
    beyond = (one.state == "whole" and len(other.body) > size) or (other.state == "whole" and len(one.body) > size)
    if one.body[:size] == other.body[:size] and not waits and not beyond:
        return ""
    return f"request {number} goes on elsewhere: {one.state} {one.body}, {other.state} {other.body}"


# ---- inputs ----

METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"get", b"G\x00T", b"", b"GE T", b"CONNECT"]
TARGETS = [b"/", b"/a?b=c", b"*", b"http://a/", b"//x", b"/%00", b"/\xff", b"/a b", b"a:80", b"", b"http://b:80/x?y", b"/a\tb", b"/#f"]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b""]
NAMES = [b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"X-A", b"content-length", b"Content-Length ", b" Content-Length",
         b"Content_Length", b"Transfer-Encoding\x0b", b"Expect", b"Upgrade", b"TE", b"Trailer", b"Content-Length\x00", b"Transfer-\xc3\xa9"]
VALUES = [b"0", b"3", b"5", b"+3", b"-1", b"03", b"3 ", b"3,3", b"3, 5", b"0x3", b"3\t", b"18446744073709551616", b"chunked", b"Chunked", b"chunked ",
          b"\tchunked", b"chunked, identity", b"identity", b"gzip, chunked", b"chunked;q=1", b"xchunked", b"a", b"close", b"keep-alive", b"upgrade",
          b"websocket", b"100-continue", b"", b"a\x00b", b"a\rb", b"a\x0bb", b"\xc3\xa9", b"\"chunked\"", b"chunked,", b",chunked", b"1e1", b"3_0", b"\xd9\xa3"]
SIZES = [b"0", b"3", b"5", b"00", b"003", b"a", b"A", b"0x3", b"+3", b"-3", b" 3", b"3 ", b"3\t", b"3;a",
         b"3;a=b", b"3;a=\"\r\n\"", b"3;\x00", b"ffffffffffffffff",
         b"10000000000000003", b"", b"g", b"3_0", b"3\r", b"3;a\nb"]
ENDS = [b"\r\n"] * 24 + [b"\n", b"\r", b"\r\r\n", b"\n\r", b"", b"\r\n ", b"\x0b\r\n"]
BYTES = [b"\r", b"\n", b"\x00", b" ", b"\t", b":", b";", b",", b"0", b"3", b"\x0b", b"\x0c", b"\x85", b"\xff", b"\r\n", b"\r\n\r\n",
         b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"]


class Maker:
    def __init__(self, seed: int, corpus: list[bytes]):
        self.random = random.Random(seed)
        self.corpus = corpus

    def rare(self, odd: list[bytes], usual: bytes) -> bytes:
        return usual if self.random.random() < 0.8 else self.random.choice(odd)

    def end(self) -> bytes:
        return self.rare(ENDS, b"\r\n")

    def chunks(self) -> bytes:
        out = b""
        for _ in range(self.random.randrange(3)):
            out += self.rare(SIZES, b"3") + self.end() + self.rare([b"ab", b"abcd", b"", b"a\r\n"], b"abc") + self.end()
        trailer = self.random.choice([b"", b"", b"X-B: c\r\n", b"Content-Length: 5\r\n", b"X B: c\r\n", b"X:\r\n y\r\n"])
        return out + self.rare(SIZES, b"0") + self.end() + trailer + self.end()

    def body(self) -> tuple[bytes, bytes]:
        """Its framing fields, and itself."""
        kind = self.random.randrange(5)
        if kind < 2:
            return b"", b""
        if kind == 2:
            length = self.rare(VALUES, b"3")
            return b"Content-Length: " + length + self.end(), self.rare([b"ab", b"abcd", b""], b"abc")
        if kind == 3:
            return b"Transfer-Encoding: " + self.rare(VALUES, b"chunked") + self.end(), self.chunks()
        return b"Transfer-Encoding: chunked\r\nContent-Length: 3" + self.end(), self.chunks()

    def field(self) -> bytes:
        return self.random.choice(NAMES) + self.rare([b":", b" : ", b":\t", b" :", b""], b": ") + self.random.choice(VALUES) + self.end()

    def request(self) -> bytes:
        framing, body = self.body()
        line = self.rare(METHODS, b"POST") + b" " + self.rare(TARGETS, b"/a") + b" " + self.rare(VERSIONS, b"HTTP/1.1") + self.end()
        fields = [b"Host: a\r\n"] * (self.random.random() < 0.9) + [self.field() for _ in range(self.random.randrange(3) // 2)] + [framing]
        self.random.shuffle(fields)
        return line + b"".join(fields) + self.end() + body

    def mutate(self, data: bytes) -> bytes:
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2])):
            at, gone = self.random.randrange(len(data) + 1), self.random.randrange(3)
            data = data[:at] + self.random.choice(BYTES + [b""]) + data[at + gone:]
        return data

    def next(self) -> bytes:
        if self.corpus and self.random.random() < 0.1:
            return self.mutate(self.random.choice(self.corpus))
        return self.mutate(b"".join(self.request() for _ in range(self.random.randrange(1, 4))))


def seeds() -> list[bytes]:
    heads = [path.read_bytes() for path in sorted((fuzz.HERE / "corpus/head").iterdir())]
    return heads + [path.read_bytes()[2:] for path in sorted((fuzz.HERE / "corpus/request").iterdir())]


# ---- running ----


def is_whole(requests: list[Request]) -> bool:
    return any(request.state == "whole" for request in requests)


def show(ours: Ours, parsers: list, data: bytes) -> int:
    one, found = ours.read(data), 0
    print(f"{data!r}\nours: {one}")
    for parser in parsers:
        other = parser.read(data)
        what = difference(one, other, parser.differs)
        found += bool(what)
        print(f"{parser.name}: {other}\n{what or 'no difference'}")
    return 1 if found else 0


def compare(ours: Ours, parsers: list, seconds: float, seed: int) -> int:
    maker, until = Maker(seed, seeds()), time.monotonic() + seconds
    inputs, agreed = 0, {parser.name: 0 for parser in parsers}
    while time.monotonic() < until:
        data = maker.next()
        one = ours.read(data)
        inputs += 1
        for parser in parsers:
            other = parser.read(data)
            agreed[parser.name] += is_whole(one) and is_whole(other)
            if difference(one, other, parser.differs):
                return tell(ours, parsers, data, f"differential-{seed}-{inputs}")
    said = ", ".join(f"{number} with a request that {name} takes, too" for name, number in agreed.items())
    print(f"{inputs} inputs (seed {seed}), {said}: nothing found")
    return 0 if all(agreed.values()) else 1


def tell(ours: Ours, parsers: list, data: bytes, name: str) -> int:
    found = fuzz.BUILD / "found" / name
    found.parent.mkdir(parents=True, exist_ok=True)
    found.write_bytes(data)
    show(ours, parsers, data)
    print(f"FOUND: the input is in {found}")
    return 1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz --differential", description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=30, help="(30)")
    parser.add_argument("--seed", type=int, default=None, help="of chance; said with what was found")
    parser.add_argument("--with", dest="names", action="append", choices=PARSERS, help="this parser alone (both)")
    parser.add_argument("--file", type=Path, help="shows what all make of these bytes")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(2**32)
    ours = Ours()
    parsers = [PARSERS[name]() for name in chosen.names or PARSERS]
    try:
        return show(ours, parsers, chosen.file.read_bytes()) if chosen.file else compare(ours, parsers, chosen.seconds, seed)
    finally:
        for one in [ours, *parsers]:
            one.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
