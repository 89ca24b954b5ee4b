"""A client of HTTP/2 that says what a test wants: exact frames, and what came back, as it came. It shares no code with the
programs under test; fields of answers are read with the `hpack` library."""

import struct

import hpack

from agent_v2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, integer, literal
from tls_client import TlsConnection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ACK, PADDED, PRIORITY_FLAG = 1, 8, 32
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL = 0, 1, 3, 5, 6, 7, 8
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 9, 11


def settings(*pairs, flags=0):
    return frame(SETTINGS, flags, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def fields(*pairs):
    """A block of fields that leaves the tables as they are."""
    return b"".join(literal(*pair) for pair in pairs)


def request(stream, *more, method="GET", path="/", authority=None, scheme="https", end=True):
    """HEADERS of a plain request; a pseudo field of None is left out."""
    pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    block = fields(*(pair for pair in pseudo if pair[1] is not None), *more)
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


class Answer:
    def __init__(self):
        self.headers, self.trailers, self.body, self.ended, self.reset = None, None, b"", False, None
        self.informational = []

    @property
    def status(self):
        return int(self.header(":status")) if self.headers else None

    def header(self, name):
        return dict(self.headers).get(name)

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def __repr__(self):
        return f"<{self.headers} {self.body[:100]!r} ended={self.ended} reset={self.reset}>"


class H2:
    """One connection. `window`: what it grants for each stream, and back as it reads."""

    def __init__(self, address, context, name, window=1 << 20, preface=True, grants=True, **more):
        self.connection = TlsConnection(address, context, name, **more)
        assert self.connection.socket.selected_alpn_protocol() == "h2"
        self.decoder, self.answers, self.grants = hpack.Decoder(), {}, grants
        self.goaway, self.closed, self.settings, self.pongs, self.acks = None, False, {}, 0, 0
        self.buffer, self.block = b"", None
        if preface:
            self.send(PREFACE + settings((4, window)) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 28)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, data):
        try:
            self.connection.send(data)
        except OSError:
            pass  # closed meanwhile: what came before is still to be read

    def _read(self):
        try:
            data = self.connection.socket.recv(1 << 18)
        except TimeoutError:
            raise
        except OSError:
            data = b""
        if not data:
            self.closed = True
        self.buffer += data

    def next_frame(self):
        """None: the connection has ended."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            if self.closed:
                return None
            self._read()
        length = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
        self._note(kind, flags, stream, payload)
        return kind, flags, stream, payload

    def _note(self, kind, flags, stream, payload):
        answer = self.answers.setdefault(stream, Answer()) if stream else None
        if kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.unpack_from(">HI", payload, at) for at in range(0, len(payload), 6))
            self.send(settings(flags=ACK))
        elif kind == SETTINGS:
            self.acks += 1
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">I", payload[4:8])[0]
        elif kind == RST_STREAM:
            answer.reset = struct.unpack(">I", payload)[0]
        elif kind in (HEADERS, CONTINUATION):
            self.block = (self.block or b"") + payload
            if flags & END_HEADERS:
                self._note_head(answer, self.decoder.decode(self.block))
                self.block = None
        elif kind == DATA:
            answer.body += payload
            if self.grants and payload:
                update = struct.pack(">I", len(payload))
                self.send(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, stream, update))
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            answer.ended = True

    def _note_head(self, answer, block):
        if answer.headers is not None:
            answer.trailers = block
        elif dict(block).get(":status", "").startswith("1"):
            answer.informational.append(block)
        else:
            answer.headers = block

    def wait(self, done):
        while not done(self) and self.next_frame() is not None:
            pass
        return self

    def answer(self, stream):
        """Its end, by whichever way."""
        self.wait(lambda h2: (a := h2.answers.get(stream)) and (a.ended or a.reset is not None))
        return self.answers.get(stream, Answer())

    def get(self, stream, path="/", authority=None, **more):
        self.send(request(stream, path=path, authority=authority, **more))
        return self.answer(stream)


__all__ = [name for name in dir() if not name.startswith("_")]
__all__ += ["integer"]
