"""What the agent port does with frames, right and wrong ones, as RFC 6455 and the Autobahn test suite have it: each closes with the
code that stands for it, and a close is answered with the code that came."""

import socket
import struct
import time

import pytest

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"
PING_TEXT = b'{"type":"ping"}'


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0, length=None):
    """`length`: the bytes of it, when they are not the shortest that can say it."""
    size = len(payload)
    if length is None:
        length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536 else b"\x7f" + struct.pack(">Q", size)
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode, length[0] | (0x80 if masked else 0)]) + length[1:]
    if not masked:
        return head + payload
    return head + KEY + bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


class Client:
    def __init__(self, gateway, early=b"", fields=b""):
        self.socket = socket.create_connection(gateway.agents, timeout=20)
        self.socket.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + b"\r\n" + early
        )
        self.file = self.socket.makefile("rb")
        self.answer = b""
        while not self.answer.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            assert line, self.answer
            self.answer += line

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def next(self):
        """(opcode, fin, payload) of the next frame; None at the end."""
        try:
            head = self.file.read(2)
            if len(head) < 2:
                return None
            assert head[1] < 128, "a server masks nothing"
            size = head[1]
            if size >= 126:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            return head[0] & 15, bool(head[0] & 128), self.file.read(size)
        except ConnectionResetError:
            return "reset"

    def until(self, opcode):
        while (got := self.next()) not in (None, "reset"):
            if got[0] == opcode:
                return got[2]
        raise AssertionError(f"no frame {opcode} came, but {got}")

    def closed_with(self):
        """The code of the close frame, "none" for an empty one; and nothing but the end comes behind it."""
        payload = self.until(CLOSE)
        assert self.next() is None
        return int.from_bytes(payload[:2], "big") if payload else "none"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()


@pytest.fixture
def gateway(stack):
    return stack.gateway


WRONG = {
    "unmasked": (frame(TEXT, PING_TEXT, masked=False), 1002),
    "unmasked ping": (frame(PING, masked=False), 1002),
    "unmasked close": (frame(CLOSE, b"\x03\xe8", masked=False), 1002),
    "rsv1": (frame(TEXT, b"x", reserved=4), 1002),
    "rsv2": (frame(PING, b"x", reserved=2), 1002),
    "rsv3": (frame(CLOSE, b"", reserved=1), 1002),
    "opcode 3": (frame(3), 1002),
    "opcode 7": (frame(7, b"x"), 1002),
    "opcode 11": (frame(11), 1002),
    "opcode 15": (frame(15, b"x"), 1002),
    "ping of 126": (frame(PING, b"x" * 126), 1002),
    "fragmented ping": (frame(PING, b"x", fin=False) + frame(0, b"x"), 1002),
    "fragmented close": (frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    "continuation of nothing": (frame(0, b"x"), 1002),
    "continuation behind the end": (frame(TEXT, PING_TEXT) + frame(0, b"x"), 1002),
    "message within a message": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
    "length in too many bytes": (frame(TEXT, b"x", length=b"\x7e\x00\x01"), 1002),
    "length of 2^63": (frame(TEXT, b"", length=b"\x7f" + b"\xff" * 8), 1002),
    "binary on v1": (frame(BINARY, b"x"), 1003),
    "text not UTF-8": (frame(TEXT, b'{"a":"\xff"}'), 1007),
    "overlong": (frame(TEXT, b"\xc0\xaf"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "beyond U+10FFFF": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "cut character": (frame(TEXT, b"\xe2\x82"), 1007),
    "cut character over fragments": (frame(TEXT, b"\xe2", fin=False) + frame(0, b"\x82", fin=False) + frame(0), 1007),
    "wrong at once, though the message goes on": (frame(TEXT, b"\xce\xba\xf4\x90", fin=False), 1007),
    "wrong within a frame that goes on": (frame(TEXT, b"\xff" * 200)[:60], 1007),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_closed(gateway, name):
    sent, code = WRONG[name]
    with Client(gateway) as client:
        client.send(sent)
        assert client.closed_with() == code


@pytest.mark.parametrize("name", ["unmasked", "ping of 126", "text not UTF-8"])
def test_what_comes_behind_it_is_thrown_away(gateway, name):
    """The close frame reaches who goes on to send, where a reset would take it back."""
    sent, code = WRONG[name]
    with Client(gateway) as client:
        client.send(sent, *[frame(TEXT, b"x" * 5000)] * 100)
        assert client.closed_with() == code


CLOSES = {
    "none": (close(), "none"),
    "1000": (close(1000), 1000),
    "1000 with a reason": (close(1000, "Grüße".encode()), 1000),
    "a reason of 123 bytes": (close(1000, b"x" * 123), 1000),
    "1001": (close(1001), 1001),
    "1003": (close(1003), 1003),
    "1007": (close(1007), 1007),
    "1011": (close(1011), 1011),
    "1014": (close(1014), 1014),
    "3000": (close(3000), 3000),
    "4999": (close(4999), 4999),
    "one byte": (frame(CLOSE, b"\x03"), 1002),
    "a reason of 124 bytes": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    "0": (close(0), 1002),
    "999": (close(999), 1002),
    "1004": (close(1004), 1002),
    "1005": (close(1005), 1002),
    "1006": (close(1006), 1002),
    "1015": (close(1015), 1002),
    "1016": (close(1016), 1002),
    "2999": (close(2999), 1002),
    "5000": (close(5000), 1002),
    "65535": (close(65535), 1002),
    "a reason that is not UTF-8": (close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"), 1007),
    "a reason that is cut": (close(1000, b"\xe2\x82"), 1007),
}


@pytest.mark.parametrize("name", CLOSES)
@pytest.mark.parametrize("protocol", [b"", b"Sec-WebSocket-Protocol: http-tunnel.v2\r\n"], ids=["v1", "v2"])
def test_a_close_is_answered(gateway, name, protocol):
    sent, code = CLOSES[name]
    with Client(gateway, fields=protocol) as client:
        client.send(sent)
        assert client.closed_with() == code


def test_nothing_is_said_behind_a_close(gateway):
    with Client(gateway) as client:
        client.send(close(1000), frame(PING, b"late"), frame(TEXT, PING_TEXT))
        assert client.closed_with() == 1000


def test_pings_are_answered(gateway):
    with Client(gateway) as client:
        for payload in (b"", b"hello", bytes(range(125))):
            client.send(frame(PING, payload))
            assert client.until(PONG) == payload
        client.send(frame(PONG, b"nobody asked"))
        client.send(*[frame(PING, b"%d" % i) for i in range(10)])
        assert [client.until(PONG) for _ in range(10)] == [b"%d" % i for i in range(10)]


def test_of_many_pings_the_last_is_answered(gateway):
    """And not each of them (RFC 6455 5.5.3)."""
    with Client(gateway) as client:
        client.send(*[frame(PING, b"%d" % i) for i in range(5000)])
        count = 1
        while client.until(PONG) != b"4999":
            count += 1
        assert count < 4000


READY = b'{"type":"ready"}'


def pieces(data, size, opcode=TEXT):
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return [frame(opcode if i == 0 else 0, part, fin=i == len(parts) - 1) for i, part in enumerate(parts)]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_in_fragments(gateway, size):
    """With pings between them, and characters cut by them."""
    text = '{"type":"ready","capabilities":["äöü€😀"]}'.encode()
    with Client(gateway) as client:
        for part in pieces(text, size):
            client.send(part, frame(PING, b"between"))
        assert b"connection_established" in client.until(TEXT)


def test_bytes_one_by_one(gateway):
    """However they are cut; they also begin behind the handshake, in the same segment."""
    sent = frame(TEXT, READY) + frame(PING, b"p") + frame(TEXT, PING_TEXT)
    with Client(gateway, early=sent[:9]) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(9, len(sent)):
            client.send(sent[i : i + 1])
        answers = {(opcode, payload[:15]) for opcode, _, payload in (client.next() for _ in range(3))}
    assert {opcode for opcode, _ in answers} == {TEXT, PONG} and (PONG, b"p") in answers and len(answers) == 3, answers


def test_all_of_it_behind_the_handshake(gateway):
    with Client(gateway, early=frame(TEXT, READY) + close(1000)) as client:
        assert client.closed_with() == 1000


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 1 << 20, 3 << 20])
def test_messages_of_any_size(gateway, size):
    """None of an agent's, but of a size that is read."""
    with Client(gateway) as client:
        client.send(frame(TEXT, b" " * size), frame(TEXT, PING_TEXT))
        assert b"pong" in client.until(TEXT)


def test_too_large_a_message(gateway):
    with Client(gateway) as client:
        client.send(frame(TEXT, b" " * (5 << 20)))
        assert client.closed_with() == 1009


def test_a_client_that_reads_no_pongs(gateway):
    """It gets no more of them than fit, and costs no memory."""
    with Client(gateway) as client:
        burst = frame(PING, b"x" * 125) * 1000
        for _ in range(20):
            client.send(burst)
        client.send(frame(TEXT, PING_TEXT))
        while b"pong" not in client.until(TEXT):
            pass


def test_a_client_that_never_closes(gateway):
    """Its close is waited for, but not for ever."""
    with Client(gateway) as client:
        client.send(frame(3))
        assert client.until(CLOSE)[:2] == b"\x03\xea"
        begun = time.monotonic()
        client.socket.settimeout(60)
        assert client.next() is None
        assert time.monotonic() - begun < 50
