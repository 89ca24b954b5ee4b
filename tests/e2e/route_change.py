"""Run in a network of its own (`unshare -n`): ttf at a gateway that says nothing, until the network changes. Prints how long it took ttf
to ask the link then; and, where the gateway does not answer, to connect again. With `moves` behind the program, the network changes so
that this machine no longer has the address that ttf connected from."""

import base64
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def read(file, size):
    data = b""
    while len(data) < size:
        if not (piece := file.read(size - len(data))):
            raise EOFError
        data += piece
    return data


def read_frame(file):
    head = read(file, 2)
    size = head[1] & 127
    if size > 125:
        size = int.from_bytes(read(file, 2 if size == 126 else 8), "big")
    key, payload = read(file, 4), read(file, size)
    return head[0] & 15, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def frame(text):
    data = text.encode()
    return bytes([0x81, len(data)]) + data  # short ones only


def shake(connection, file):
    key = b""
    while (line := file.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def established():
    connection, _ = listener.accept()
    file = connection.makefile("rb", buffering=0)
    shake(connection, file)
    while b"ready" not in read_frame(file)[1]:
        pass
    connection.sendall(frame(json.dumps({"type": "connection_established", "connection_id": "c", "tunnel_id": "abc", "public_url": "http://a.localhost"})))
    return connection, file


def change():
    """What the link makes of it: the opcode of its next frame."""
    if not moves:
        ip("addr", "add", "127.0.0.9/8", "dev", "lo")
        return read_frame(file)[0]
    ip("route", "replace", "local", HOST, "dev", "lo", "table", "local", "src", "127.0.0.1")
    ip("addr", "del", "10.9.9.1/32", "dev", "lo")
    return None


moves = "moves" in sys.argv[2:]
HOST = "10.9.9.2" if moves else "127.0.0.1"
ip("link", "set", "lo", "up")
if moves:
    ip("addr", "add", "10.9.9.1/32", "dev", "lo")
    ip("addr", "add", "10.9.9.2/32", "dev", "lo")
    ip("route", "replace", "local", HOST, "dev", "lo", "table", "local", "src", "10.9.9.1")
listener = socket.create_server((HOST, 0))
listener.settimeout(60)
with tempfile.TemporaryDirectory() as home:
    ttf = subprocess.Popen(
        [sys.argv[1], "-e", f"ws://{HOST}:{listener.getsockname()[1]}", "-p", "9"],
        env={**os.environ, "HOME": home, "XDG_STATE_HOME": home},
        stdout=subprocess.DEVNULL,
    )
    try:
        connection, file = established()
        while select.select([connection], [], [], 2)[0]:  # until it is quiet: that `lo` is up may still be news
            opcode, payload = read_frame(file)
            if opcode == 9:
                connection.sendall(bytes([0x8A, len(payload)]) + payload)
        begun = time.monotonic()
        opcode = change()
        asked = time.monotonic() - begun
        again, _ = established()
        print(json.dumps({"opcode": opcode, "asked": asked, "again": time.monotonic() - begun}))
    finally:
        ttf.kill()
        ttf.wait()
