"""Our signatures and botocore's are the same, on what is odd."""

import datetime
import json
import os
import random
import string
import subprocess
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 2, 28, 23, 59, 59)
HOST = "abc.execute-api.eu-west-1.amazonaws.com"
TOOL = os.path.join(os.environ.get("TTF_BIN", "build/bin"), "sigv4_sign")
ODD = string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/% \"<>[]{}|\\^`?#\u00e9\u1234\U0001f600"


class FrozenTime(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW


def theirs(method, path, query, body, token, monkeypatch):
    monkeypatch.setattr(botocore.auth.datetime, "datetime", FrozenTime)
    url = f"https://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, data=body.encode(), headers={"Host": HOST, "Content-Type": "application/json"})
    botocore.auth.SigV4Auth(Credentials("AKIDEXAMPLE", "secret/+key", token), "execute-api", "eu-west-1").add_auth(request)
    return request.headers["Authorization"]


def ours(requests):
    text = "".join(
        json.dumps({"method": method, "path": path, "query": query, "body": body, "session_token": token or "",
                    "headers": [["host", HOST], ["content-type", "application/json"]],
                    "now_s": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp())})
        for method, path, query, body, token in requests
    )  # fmt: skip
    return subprocess.run([TOOL], input=text, capture_output=True, text=True, check=True).stdout.splitlines()


def check(monkeypatch, *requests):
    assert ours(requests) == [theirs(*request, monkeypatch) for request in requests]


@pytest.mark.parametrize(
    "path",
    ["/", "/prod/@connections/R0oXAdfD0kwCH6w%3D", "/prod/%40connections/R0oX%3D", "/a%2Fb", "/a%25b", "/%C3%A9", "/a=b",
     "/%F0%9F%98%80/~", "/a+b", "/a%20b", "/a;b,c", "/$default/x", "/a:b@c!d'(e)*"],
)  # fmt: skip
def test_paths(monkeypatch, path):
    check(monkeypatch, ("POST", path, "", "{}", None))


@pytest.mark.parametrize(
    "query",
    ["a=1", "b=2&a=1", "a=2&a=1", "a=", "a", "=x", "a=%20&b=%2B", "%C3%A9=%F0%9F%98%80", "a=1&a=&a", "A=1&a=2&B=3",
     "a%3Db=c%26d", "a=%2F&a=~", "aa=1&a=2&a-=3"],
)  # fmt: skip
def test_queries(monkeypatch, query):
    check(monkeypatch, ("GET", "/", query, "", None))


def test_session_token_and_body(monkeypatch):
    check(monkeypatch, ("POST", "/x", "a=b", "\u00e9" * 100, "a/session+token=="))


def test_random(monkeypatch):
    generator = random.Random(5)

    def word():
        return quote("".join(generator.choices(ODD, k=generator.randrange(1, 12))), safe="")

    requests = []
    while len(requests) < 500:
        path = "/" + "/".join(word() for _ in range(generator.randrange(1, 4)))
        query = "&".join(f"{word()}={word()}" for _ in range(generator.randrange(0, 5)))
        method, token = generator.choice(["GET", "POST", "DELETE"]), generator.choice([None, word()])
        if "/." not in path:  # botocore takes dot segments out; we send none
            requests.append((method, path, query, word(), token))
    check(monkeypatch, *requests)
