"""The load by which `./dev build --profile-guided` records what the programs do: some seconds of what they are for, in the
kinds that there are. Ends with an error where an answer is wrong, so that no profile is of failures."""

import argparse
import base64
import contextlib
import gzip
import http.client
import os
import re
import socket
import socketserver
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from instructions import ask
from peers import Tunnel, TunnelInspected
from soak_service import socket_head

LARGE = 1 << 20
PAGE = b"<!doctype html><head><title>A page</title><link rel=stylesheet href=/style.css></head><body>" + b"".join(
    b'<tr class="row"><td><a href="/rows/%d">row %d</a></td><td><img src="/images/%d.png" alt="one"></td></tr>\n' % (n, n, n) for n in range(2000)
)
ROUNDS = 60  # of requests on 32 connections
SOCKET_HEAD = (
    "GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def say(self, body, *fields):
        self.send_response(200)
        for name, value in (("Content-Length", len(body)), ("Cache-Control", "no-cache"), *fields):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        if self.path == "/large":
            self.say(os.urandom(LARGE), ("Content-Type", "application/octet-stream"))
        elif self.path == "/page":
            zipped = "gzip" in self.headers.get("Accept-Encoding", "")
            fields = [("Content-Encoding", "gzip")] if zipped else []
            self.say(gzip.compress(PAGE, 1) if zipped else PAGE, ("Content-Type", "text/html; charset=utf-8"), *fields)
        elif self.path == "/socket":
            self.wfile.write(socket_head(self.headers["Sec-WebSocket-Key"]))
            self.wfile.flush()
            while data := self.connection.recv(65536):  # an echo, with the visitor's mask: the gateway does not look
                self.connection.sendall(data)
            self.close_connection = True
        else:
            self.say(b"Hello, World!", ("Content-Type", "text/plain"))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.say(str(len(body)).encode())

    def log_message(self, *_):
        pass


class Service:
    name = "trained"

    def __enter__(self):
        socketserver.TCPServer.request_queue_size = 128
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Recorded:
    """Their profiles are files that they write when they end, which the sandbox would refuse."""

    def run(self, label, *arguments, env=None):
        return super().run(label, *arguments, "--sandbox", "off", env=env)


class RecordedTunnel(Recorded, Tunnel):
    pass


class RecordedInspected(Recorded, TunnelInspected):
    pass


def small(address, host):
    request = (
        f"GET /?q=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nCookie: session=0123456789abcdef\r\n\r\n"
    ).encode()
    plain = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    for connections, rounds in ((1, 10 * ROUNDS), (32, ROUNDS)):
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_connection(address)) for _ in range(connections)]
            ask(sockets, request, rounds)
            ask(sockets, plain, rounds)


def one(address, method, path, host, body=None, **fields):
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request(method, path, body, {"Host": host, **fields})
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, (path, answer.status, data[:200])
    connection.close()
    return data


def bodies(address, host):
    for _ in range(20):
        assert len(one(address, "GET", "/large", host)) == LARGE
        assert one(address, "POST", "/", host, os.urandom(LARGE)) == b"%d" % LARGE


def pages(address, tunnel_id):
    for number in range(40):
        coding = {"Accept-Encoding": "gzip"} if number % 2 else {}
        page = one(address, "GET", f"/{tunnel_id}/page", "localhost", **coding)
        page = gzip.decompress(page) if page[:2] == b"\x1f\x8b" else page
        assert f"/{tunnel_id}/rows/7".encode() in page, page[:300]


def frames(address, host):
    payload = base64.b64encode(os.urandom(90))
    frame = bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload
    with socket.create_connection(address, timeout=60) as visitor:
        visitor.sendall(SOCKET_HEAD.format(host=host).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += visitor.recv(65536)
        assert head.startswith(b"HTTP/1.1 101"), head
        for _ in range(500):
            visitor.sendall(frame)
            echo = b""
            while len(echo) < len(frame):
                piece = visitor.recv(65536)
                assert piece, "the WebSocket ended"
                echo += piece
            assert echo == frame


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="folder of both programs, built to record")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ttf-train-") as folder, Service() as service:
        for kind in (RecordedTunnel, RecordedInspected):
            tunnel = kind(Path(folder), options.bin, None, service)
            try:
                tunnel.start()
                tunnel.wait_answer()
                address = re.match(r"http://([\d.]+):(\d+)/", tunnel.url).groups()
                host = tunnel.headers["Host"]
                small(address, host)
                bodies(address, host)
                pages(address, host.partition(".")[0])
                frames(address, host)
            finally:
                tunnel.stop()


if __name__ == "__main__":
    main()
