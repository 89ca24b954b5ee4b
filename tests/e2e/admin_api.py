"""Asks the administration of a gateway, as curl would."""

import json
import socket
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import http_raw

TOKEN = "an-admin-token-for-tests"
ANY_PORTS = [word for port in ("public", "agent", "admin") for word in (f"--{port}-listen", "127.0.0.1:0")]


def ask(gateway, path, method="GET", /, shown=TOKEN, **arguments):
    """(status, what the JSON says)"""
    target = "/api/v1/" + quote(path) + ("?" + urlencode(arguments) if arguments else "")
    fields = [("Authorization", "Bearer " + shown)] if shown is not None else []
    answer = http_raw.request(gateway.admin, method, target, "localhost", headers=fields)
    assert answer.header("content-type") == "application/json", answer
    return SimpleNamespace(status=answer.status, json=json.loads(answer.body), size=len(answer.body))


def ask_socket(path, target, method="GET"):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def tunnels(gateway, **arguments):
    """All pages."""
    found = []
    while True:
        answer = ask(gateway, "tunnels", **arguments)
        assert answer.status == 200, answer
        found += answer.json["tunnels"]
        if "next" not in answer.json:
            return found
        arguments["cursor"] = answer.json["next"]


def knock(gateway, fields):
    """How an agent is refused, (status, text); None: it was let in (and goes at once)."""
    handshake = {"Host": "localhost", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **fields}  # fmt: skip
    head = "GET / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in handshake.items()) + "\r\n"
    with socket.create_connection(gateway.agents, 20) as connection:
        connection.sendall(head.encode())
        data = b""
        while b"\r\n\r\n" not in data or not data.startswith(b"HTTP/1.1 101"):
            if not (piece := connection.recv(65536)):
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return None if status == 101 else (status, body.decode().strip())
