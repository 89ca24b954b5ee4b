"""A gateway that asks another for its agents, in Python, from docs/PROTOCOL.md (Peers): HTTP/2 by the `h2` library, as the
client, in the binary messages of a WebSocket."""

import base64
import hashlib
import hmac
import os
import time

import h2.config
import h2.connection
import h2.events

import http_raw

SUBPROTOCOL = "http-tunnel.peer.v1"


def derive(secret, label):
    """RFC 5869, without salt."""
    extracted = hmac.digest(b"\0" * 32, secret.encode(), "sha256")
    return hmac.digest(extracted, label.encode() + b"\x01", "sha256")


def signed(key, verb, at_ms, nonce, sender, target):
    text = "\n".join([verb, str(at_ms), nonce, sender, target]).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, text, "sha256")).decode().rstrip("=")


class Greeting:
    """The fields of a handshake; each may be made wrong."""

    def __init__(self, secret, target, sender="ws://192.0.2.1:8081", off_ms=0, nonce=None):
        self.key = derive(secret, "peer")
        self.target, self.sender = target, sender
        self.at_ms, self.nonce = int(time.time() * 1000) + off_ms, nonce or os.urandom(16).hex()
        self.proof = f"1.{self.at_ms}.{self.nonce}.{signed(self.key, 'ask', self.at_ms, self.nonce, sender, target)}"

    @property
    def reply(self):
        return signed(self.key, "answer", self.at_ms, self.nonce, self.sender, self.target)

    def fields(self):
        return [("x-tunnel-peer", self.sender), ("x-tunnel-peer-proof", self.proof)]


def knock(gateway, fields):
    """The handshake: the answer's head (or, where it refuses, all of it), and the connection."""
    connection = http_raw.Connection(gateway.agents)
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
               ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode()), ("Sec-WebSocket-Protocol", SUBPROTOCOL)]  # fmt: skip
    connection.send(http_raw.build(target="/", host="gateway", headers=upgrade + list(fields)))
    return connection.read_response(), connection


class PeerClient:
    def __init__(self, gateway, secret):
        greeting = Greeting(secret, gateway.endpoint)
        answer, self.connection = knock(gateway, greeting.fields())
        assert answer.status == 101, answer
        assert answer.header("sec-websocket-protocol") == SUBPROTOCOL
        assert answer.header("x-tunnel-peer-reply") == greeting.reply
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
        self.h2.initiate_connection()
        self._open("POST", "/.tunnel/control", "control", [], end=False)

    def _open(self, method, path, host, fields, end=True):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", host), (":path", path), *fields]
        self.h2.send_headers(stream, head, end_stream=end)
        self._flush()
        return stream

    def _flush(self):
        data, key = self.h2.data_to_send(), os.urandom(4)
        if not data:
            return
        assert len(data) < 65536
        head = bytes([0x82, 0x80 | len(data)]) if len(data) < 126 else bytes([0x82, 0xFE]) + len(data).to_bytes(2, "big")
        self.connection.send(head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(data)))

    def _message(self):
        first, length = self.connection._exactly(2)
        length = int.from_bytes(self.connection._exactly({126: 2, 127: 8}[length]), "big") if length > 125 else length
        return first & 15, self.connection._exactly(length)

    def ask(self, fields, method="GET", path="/", host="a.localhost"):
        """Status, x-tunnel-error and body of the answer."""
        stream = self._open(method, path, host, fields)
        status, error, body = None, None, b""
        while True:
            opcode, data = self._message()
            assert opcode == 2, (opcode, data)
            for event in self.h2.receive_data(data):
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                    status, error = int(headers[":status"]), headers.get("x-tunnel-error")
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    self._flush()
                    return status, error, body
                elif isinstance(event, h2.events.StreamReset):
                    return status, "reset", body
            self._flush()

    def close(self):
        self.connection.close()
