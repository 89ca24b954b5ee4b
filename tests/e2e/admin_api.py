"""Asks the administration of a gateway, as curl would."""

import json
import socket
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import http_raw

TOKEN = "an-admin-token-for-tests"


def ask(gateway, path, method="GET", /, token=TOKEN, **arguments):
    """(status, what the JSON says)"""
    target = "/api/v1/" + quote(path) + ("?" + urlencode(arguments) if arguments else "")
    fields = [("Authorization", "Bearer " + token)] if token is not None else []
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
