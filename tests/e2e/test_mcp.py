"""ttf mcp: the inspector's tools for coding agents, on a running ttf with a service behind it."""

import base64
import gzip
import hashlib
import hmac
import json
import os
import subprocess
import time
import zlib

import pytest

from mcp_lines import VERSION, Mcp
from programs import BIN, SLOW, free_port
from service import Gate, Response
from test_inspect import SECRET, Inspector, signed


@pytest.fixture
def inspected(fresh):
    stack = fresh(ttf_options=["--inspect", str(free_port())])
    stack.inspector = Inspector(stack.ttf)
    stack.inspect_url = f"http://{stack.inspector.host}"
    return stack


@pytest.fixture
def mcp(inspected):
    with Mcp("--inspect-url", inspected.inspect_url) as client:
        yield client


# ---- tools ----


def test_tunnels_are_listed(inspected, mcp):
    found = mcp.call("list_tunnels")
    assert found["inspector"] == inspected.inspect_url
    (tunnel,) = found["tunnels"]
    assert tunnel["name"] == "command_line" and tunnel["public_url"] == inspected.ttf.url
    assert str(inspected.service.port) in tunnel["service"]


def test_a_tunnel_is_started_and_stopped(inspected, mcp, start):
    other = start.service()
    assert mcp.call("start_tunnel", name="other", service=str(other.port))["name"] == "other"
    inspected.ttf.wait_line(r"^other: Tunnel established: ")
    tunnels = {tunnel["name"]: tunnel for tunnel in mcp.call("list_tunnels")["tunnels"]}
    assert tunnels["other"]["public_url"].startswith("http")
    assert "already" in mcp.refused("start_tunnel", name="other", service="1")
    assert mcp.call("stop_tunnel", name="other") == {"stopped": "other"}
    assert "no such tunnel" in mcp.refused("stop_tunnel", name="a/../b?c")
    assert [tunnel["name"] for tunnel in mcp.call("list_tunnels")["tunnels"]] == ["command_line"]


def test_requests_are_listed_by_filters(inspected, mcp):
    inspected.service.answer("/b", status=404)
    inspected.request("GET", "/a?token=s3cr3t&x=1")
    inspected.request("POST", "/b", body=b"a needle & so on")
    inspected.inspector.wait_ended(2)
    newest, oldest = mcp.call("list_requests")["requests"]
    assert (newest["method"], newest["path"], newest["status"], newest["ended"]) == ("POST", "/b", 404, True)
    assert newest["request_bytes"] == 16 and newest["duration_ms"] >= 0
    assert oldest["path"] == "/a?token=***&x=1"
    assert mcp.call("list_requests", reveal=True)["requests"][1]["path"] == "/a?token=s3cr3t&x=1"
    for filters, ids in (({"method": "POST"}, [newest]), ({"status": "2xx"}, [oldest]), ({"text": "needle & so"}, [newest]),
                         ({"path": "?token="}, [oldest]), ({"after": 1}, [newest]), ({"after": "2"}, []), ({"limit": 1}, [newest]),
                         ({"tunnel": "none"}, [])):  # fmt: skip
        assert mcp.call("list_requests", **filters)["requests"] == ids, filters
    assert "status" in mcp.refused("list_requests", status="many")
    assert "after" in mcp.refused("list_requests", after="x")


def test_one_request_is_inspected(inspected, mcp):
    inspected.service.answer("/form", status=201, headers=[("Set-Cookie", "id=s3cr3t"), ("Content-Type", "application/json")],
                             body='{"access_token": "s3cr3t", "n": 12345678901234567890123, "name": "Zoë"}')  # fmt: skip
    inspected.request("POST", "/form?q=a%26b+c&api_key=s3cr3t", body=b"user=ann&password=s3cr3t&note=%F0%9F%98%80",
                      headers=[("Authorization", "Bearer s3cr3t"), ("Content-Type", "application/x-www-form-urlencoded"), ("X-One", "1")])  # fmt: skip
    inspected.inspector.wait_ended(1)
    found = mcp.call("inspect_request", id="1")
    assert "s3cr3t" not in json.dumps(found)
    assert found["status"] == 201 and found["ended"] and found["repeatable"] and "error" not in found
    request, response = found["request"], found["response"]
    assert request["query"] == [["q", "a&b c"], ["api_key", "***"]]
    assert ["x-one", "1"] in request["headers"] and ["authorization", "***"] in request["headers"]
    assert request["body"]["form"] == [["user", "ann"], ["password", "***"], ["note", "😀"]]
    assert request["body"]["text"] == "user=ann&password=***&note=%F0%9F%98%80"
    assert response["status"] == 201 and ["set-cookie", "***"] in response["headers"]
    assert response["body"]["text"] == '{"access_token": "***", "n": 12345678901234567890123, "name": "Zoë"}'
    shown = mcp.call("inspect_request", id=1, reveal=True)
    assert shown["request"]["query"][1] == ["api_key", "s3cr3t"] and ["authorization", "Bearer s3cr3t"] in shown["request"]["headers"]
    assert json.loads(shown["response"]["body"]["text"])["access_token"] == "s3cr3t"
    assert "no such request" in mcp.refused("inspect_request", id="99")
    assert "id" in mcp.refused("inspect_request", id="../tunnels")


def test_bodies_come_in_pieces(inspected, mcp):
    text = ("é" * 3000).encode()
    inspected.service.answer("/", body=bytes(range(256)))
    inspected.request("POST", "/", body=text)
    inspected.inspector.wait_ended(1)
    got, offset = "", 0
    while offset is not None:
        found = mcp.call("inspect_request", id="1", body_limit=1001, body_offset=offset)
        body = found["request"]["body"]
        got, offset = got + body["text"], body.get("next_offset")
    assert got.encode() == text
    assert found["response"]["body"]["bytes"] == 256 and "text" not in found["response"]["body"]
    whole = mcp.call("inspect_request", id="1")
    assert base64.b64decode(whole["response"]["body"]["base64"]) == bytes(range(256))
    assert mcp.call("inspect_request", id="1", body_limit=0)["request"]["body"]["text"] == ""


TEXT = b'{"event": "paid", "token": "s3cr3t", "amount": 5}' * 400
BROTLI = bytes.fromhex("1b1b25f88dd305f32b795a53fa84e1b582c80b8f02e6b712a10d3ecc01b0be00")  # 500 times a line of HTML
CODED = {"gzip": gzip.compress(TEXT), "deflate": zlib.compress(TEXT), "br": BROTLI}


@pytest.mark.parametrize("coding", [*CODED, "zstd"])
def test_compressed_bodies_are_text(inspected, mcp, coding):
    body = CODED.get(coding) or subprocess.run(["zstd", "-c"], input=TEXT, capture_output=True, check=True).stdout
    text = (b'<a href="/x">x</a>\n' * 500 if coding == "br" else TEXT.replace(b"s3cr3t", b"***")).decode()
    inspected.service.answer("/", headers=[("Content-Encoding", coding), ("Content-Type", "application/json")], body=body)
    inspected.request("POST", "/", body=body, headers=[("Content-Encoding", coding)])
    inspected.inspector.wait_ended(1)
    found = mcp.call("inspect_request", id="1", body_limit=100000)
    for shown in (found["request"]["body"], found["response"]["body"]):
        assert (shown["bytes"], shown["encoding"]) == (len(body), coding)
        assert shown["text"] == text and "base64" not in shown and "kept" not in shown
    later = mcp.call("inspect_request", id="1", body_limit=10, body_offset=5000)["response"]["body"]
    assert later["text"] == text[5000:5010] and later["next_offset"] == 5010
    mcp.call("replay_request", id="1")
    assert inspected.service.seen("/")[-1].body == body, "what is sent again is as it came"


def test_compressed_bodies_that_would_be_huge_or_are_broken(inspected, mcp):
    bomb, cut = gzip.compress(bytes(50 << 20)), gzip.compress(os.urandom(1000).hex().encode())[:-20]
    inspected.service.answer("/", headers=[("Content-Encoding", "gzip")], body=bomb)
    inspected.request("POST", "/", body=cut, headers=[("Content-Encoding", "gzip")])
    inspected.inspector.wait_ended(1)
    found = mcp.call("inspect_request", id="1")
    assert found["response"]["body"]["decoded_bytes"] == found["response"]["body"]["kept"] == 1 << 20
    assert 0 < found["request"]["body"]["kept"] < 2000 and "text" in found["request"]["body"]
    inspected.request("POST", "/", body=b"no gzip \0", headers=[("Content-Encoding", "gzip")])
    inspected.inspector.wait_ended(2)
    shown = mcp.call("inspect_request", id="2")["request"]["body"]
    assert base64.b64decode(shown["base64"]) == b"no gzip \0" and "decoded_bytes" not in shown


def test_compressed_bodies_are_compared(inspected, mcp):
    for amount in (5, 6):
        body = gzip.compress(json.dumps({"event": "paid", "amount": amount}).encode())
        inspected.request("POST", "/", body=body, headers=[("Content-Encoding", "gzip")])
    inspected.inspector.wait_ended(2)
    differences = mcp.call("compare_requests", a=1, b=2)["differences"]
    assert {"where": "request.body.amount", "a": 5, "b": 6} in differences, differences


def test_a_signed_webhook_is_replayed_and_compared(inspected, mcp):
    inspected.service.on("/hook", signed)
    body = b'{"event": "paid", "amount": 5}'
    signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    inspected.request("POST", "/hook", body=body, headers=[("X-Hub-Signature-256", signature)])
    inspected.inspector.wait_ended(1)
    again = mcp.call("replay_request", id="1", times=3)
    assert again["all_ended"] and [line["status"] for line in again["requests"]] == [200] * 3
    assert {line["replay_of"] for line in again["requests"]} == {"1"}
    edited = mcp.call("replay_request", id="1", method="PUT", path="/hook?again=1", body=body.decode() + " ",
                      headers={"X-Hub-Signature-256": None, "X-New": "yes"})  # fmt: skip
    (line,) = edited["requests"]
    assert (line["method"], line["path"], line["status"]) == ("PUT", "/hook?again=1", 401)
    got = inspected.service.seen("/hook")[-1]
    assert (got.method, got.body, got.header("x-new"), got.header("x-hub-signature-256")) == ("PUT", body + b" ", "yes", None)
    found = mcp.call("compare_requests", a=1, b=line["id"])
    where = {difference["where"]: (difference["a"], difference["b"]) for difference in found["differences"]}
    assert not found["same"] and where["status"] == (200, 401) and where["request.method"] == ("POST", "PUT")
    assert where["request.headers.x-new"] == (None, "yes") and where["request.headers.x-hub-signature-256"][1] is None
    assert "request.body" not in where  # the same JSON
    assert mcp.call("compare_requests", a="1", b=again["requests"][0]["id"])["same"]
    assert "base64" in mcp.refused("replay_request", id="1", body_base64="%")
    for wrong in ({"headers": {"a": "b\r\nc: d"}}, {"method": "GE T"}, {"path": "/a b"}):
        (line,) = mcp.call("replay_request", id="1", **wrong)["requests"]
        assert line["error"] == "invalid_request" and line["status"] == 0


def test_a_replay_that_is_not_answered_in_time(inspected, mcp):
    gate = Gate()
    inspected.request("GET", "/slow")
    inspected.inspector.wait_ended(1)
    inspected.service.on("/slow", gate)
    found = mcp.call("replay_request", id="1", timeout_seconds=1)
    gate.open()
    assert not found["all_ended"] and [line["ended"] for line in found["requests"]] == [False]


def test_bodies_are_compared_member_by_member(inspected, mcp):
    bodies = iter(['{"a": [1, {"b": 2, "secret": "x"}], "only": 1}', '{"a": [1, {"b": 3, "secret": "y"}], "more": null}',
                   "one\ntwo\n", "one\nthree\n", b"\0\1\2", b"\0\1\3"])  # fmt: skip
    inspected.service.on("/", lambda request: Response(body=next(bodies)))
    for _ in range(6):
        inspected.request()
    inspected.inspector.wait_ended(6)

    def differences(a, b):
        found = mcp.call("compare_requests", a=a, b=b)["differences"]
        return {one["where"]: (one["a"], one["b"]) for one in found if one["where"].startswith("response.body")}

    assert differences(1, 2) == {"response.body.a[1].b": (2, 3), "response.body.a[1].secret": ("***", "***"),
                                 "response.body.only": (1, None), "response.body.more": (None, None)}  # fmt: skip
    assert differences(3, 4) == {"response.body line 2": ("two", "three")}
    assert differences(5, 6) == {"response.body": ("3 bytes, differing from byte 2 on", "3 bytes")}
    assert differences(1, 1) == {}


def test_a_comparison_hides_what_the_requests_hide(inspected, mcp):
    """A line of a form, and a value that stands on a line of its own: they are shown as `inspect_request` shows them."""
    form, text = "application/x-www-form-urlencoded", "text/plain"
    bodies = [(form, "user=ann&password=hunter2"), (form, "user=bob&password=hunter3"), (form, "user=bob&password=hunter4"),
              (text, 'x "password":\n"hunter5"\nend'), (text, 'x "password":\n"hunter6"\nEnd')]  # fmt: skip
    for kind, body in bodies:
        inspected.request("POST", "/", body=body.encode(), headers=[("Content-Type", kind)])
    inspected.inspector.wait_ended(len(bodies))

    def differences(a, b, **more):
        found = mcp.call("compare_requests", a=a, b=b, **more)["differences"]
        return [(one["where"], one["a"], one["b"]) for one in found if one["where"].startswith("request.body")]

    assert differences(1, 2) == [("request.body line 1", "user=ann&password=***", "user=bob&password=***")]
    assert differences(2, 3) == [("request.body", "***", "***")]
    assert differences(4, 5) == [("request.body line 3", "end", "End")]
    assert differences(2, 3, reveal=True) == [("request.body line 1", "user=bob&password=hunter3", "user=bob&password=hunter4")]
    assert differences(4, 5, reveal=True) == [("request.body line 2", '"hunter5"', '"hunter6"')]


def test_a_request_is_waited_for(inspected, mcp):
    inspected.request("POST", "/hook")
    (first,) = inspected.inspector.wait_ended(1)
    assert [line["id"] for line in mcp.call("wait_for_request", after=0, path="hook")["requests"]] == [first["id"]]
    assert mcp.call("wait_for_request", method="POST", timeout_seconds=1) == {"found": False, "requests": []}
    gate = Gate()
    inspected.service.on("/late", gate)
    id = mcp.start("wait_for_request", path="/late", after=first["id"])
    mcp.ask("ping")  # others are answered meanwhile
    inspected.request("GET", "/other")
    gate.open()
    inspected.request("GET", "/late")
    answer = mcp.receive()
    assert answer["id"] == id
    (line,) = mcp.result(answer)["requests"]
    assert line["path"] == "/late" and line["ended"]


def test_waiting_asks_only_when_something_happens(inspected, mcp, start):
    """The inspector behind a relay that counts: the list is asked for at the start, not again and again."""
    relay = start.relay(("127.0.0.1", inspected.inspector.port))
    with Mcp("--inspect-url", f"http://127.0.0.1:{relay.port}") as client:
        client.start("wait_for_request", timeout_seconds=3)
        assert client.result(client.receive())["found"] is False
    assert 2 <= relay.accepted <= 6


def test_a_wait_is_cancelled(inspected, mcp):
    id = mcp.start("wait_for_request", path="/never", timeout_seconds=300)
    mcp.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "other"}})
    mcp.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": "enough"}})
    mcp.send({"jsonrpc": "2.0", "method": "notifications/cancelled"})
    assert mcp.ask("ping")["result"] == {}  # nothing was said of the other
    assert mcp.ask("tools/call", {"name": "list_tunnels"}, id=id)["result"]["isError"] is False  # the id is free again


def test_calls_run_beside_each_other_up_to_a_bound(inspected, mcp):
    ids = [mcp.start("wait_for_request", path="/never", timeout_seconds=60) for _ in range(14)]
    assert mcp.call("list_tunnels")["tunnels"]
    taken = mcp.ask("tools/call", {"name": "list_tunnels"}, id=ids[0])
    assert taken["error"]["code"] == -32600
    for _ in range(18):
        mcp.request("tools/call", {"name": "replay_request", "arguments": {"id": "77"}})
    assert all(mcp.receive()["result"]["isError"] for _ in range(18))
    end = time.monotonic()
    assert mcp.end() == 0 and time.monotonic() - end < 10 * SLOW  # those that wait end with the input


def test_progress_is_told_to_who_asks(inspected, mcp):
    mcp.request("tools/call", {"name": "wait_for_request", "arguments": {"timeout_seconds": 11}, "_meta": {"progressToken": "p"}})
    told = mcp.receive()
    assert told["method"] == "notifications/progress" and told["params"]["progressToken"] == "p" and told["params"]["progress"] == 1
    assert mcp.result(mcp.receive())["found"] is False


# ---- which ttf ----


def test_without_a_ttf_the_cure_is_said(tmp_path):
    port = free_port()
    with Mcp("--inspect-url", f"http://127.0.0.1:{port}") as client:
        assert "inspector" in client.refused("list_tunnels") and "inspector" in client.refused("wait_for_request")
        assert len(client.ask("tools/list")["result"]["tools"]) == 8


def test_a_ttf_that_ends_is_told_and_its_successor_found(inspected, mcp, start):
    mcp.start("wait_for_request", timeout_seconds=60)
    mcp.ask("ping")
    port = inspected.inspector.port
    assert inspected.ttf.stop() == 0
    assert mcp.receive()["result"]["isError"]
    start.forwarder(inspected.gateway, inspected.service, "--inspect", str(port))
    assert mcp.call("list_tunnels")["tunnels"]


def test_the_first_ttf_is_found(inspectors_ports, fresh):
    """At the inspector's own ports, which this machine may have given to others: then what is there decides."""
    stack = fresh(ttf_options=["--inspect", "4040"])
    inspector = Inspector(stack.ttf)
    with Mcp() as client:
        where = client.call("list_tunnels")["inspector"]
        assert where.startswith("http://127.0.0.1:40") and int(where[17:]) <= inspector.port


@pytest.mark.parametrize("url", ["https://127.0.0.1:4040", "127.0.0.1:4040", "http://", "http://a:0", "http://a:99999", "http://[::1"])
def test_wrong_urls(url):
    done = subprocess.run([BIN / "ttf", "mcp", "--inspect-url", url], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    assert done.returncode == 2 and done.stdout == "" and "--inspect-url" in done.stderr


def test_the_password_goes_to_the_inspector_that_is_named(fresh, tmp_path):
    (tmp_path / "password").write_text("s3cr3t-enough\n")
    (tmp_path / "wrong").write_text("another-one\n")
    stack = fresh(ttf_options=["--inspect", str(free_port()), "--inspect-password-file", tmp_path / "password"])
    url = stack.ttf.wait_line(r"^Inspector: (http://127\.0\.0\.1:\d+)/")[1]
    with Mcp("--inspect-url", url, "--inspect-password-file", tmp_path / "password") as client:
        assert client.call("list_tunnels")["tunnels"]
        assert client.call("wait_for_request", timeout_seconds=1)["found"] is False
    with Mcp("--inspect-url", url, env={**os.environ, "TTF_INSPECT_PASSWORD": "s3cr3t-enough"}) as client:
        assert client.call("list_tunnels")["tunnels"]
    for options in (["--inspect-password-file", tmp_path / "wrong"], []):
        with Mcp("--inspect-url", url, *options) as client:
            assert "password" in client.refused("list_tunnels")
    done = subprocess.run([BIN / "ttf", "mcp", "--inspect-password-file", tmp_path / "none"], stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 2 and done.stdout == b""


def test_what_answers_is_no_ttf(start):
    service = start.service()
    with Mcp("--inspect-url", f"http://127.0.0.1:{service.port}") as client:
        assert "no ttf" in client.refused("inspect_request", id=1) and "no ttf" in client.refused("list_tunnels")
    assert {request.path for request in service.requests} == {"/api/status"}


# ---- the protocol ----


def test_versions_are_agreed_on():
    for wanted, got in (("2025-11-25", "2025-11-25"), ("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-11-25"), ("2026-07-28", "2025-11-25")):
        with Mcp(handshake=False) as client:
            result = client.initialize(wanted)
            assert result["protocolVersion"] == got and result["serverInfo"]["name"] == "ttf" and "tools" in result["capabilities"]
            assert "resultType" not in client.ask("tools/list")["result"]
            assert client.ask("initialize", {"protocolVersion": wanted})["error"]["code"] == -32600


def test_without_a_handshake_each_request_says_its_revision():
    with Mcp("--inspect-url", f"http://127.0.0.1:{free_port()}", handshake=False) as client:
        assert client.ask("tools/list")["error"]["code"] == -32600
        found = client.ask("server/discover", {"_meta": VERSION})["result"]
        assert found["supportedVersions"][0] == "2026-07-28" and found["resultType"] == "complete" and found["ttlMs"] >= 0
        assert client.ask("ping")["result"] == {}
        listed = client.ask("tools/list", {"_meta": VERSION})["result"]
        assert listed["resultType"] == "complete" and listed["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "ttf"
        called = client.ask("tools/call", {"name": "list_tunnels", "_meta": VERSION})["result"]
        assert called["isError"] and called["resultType"] == "complete"
        other = {"io.modelcontextprotocol/protocolVersion": "2031-01-01"}
        error = client.ask("tools/list", {"_meta": other})["error"]
        assert error["code"] == -32022 and "2026-07-28" in error["data"]["supported"] and error["data"]["requested"] == "2031-01-01"


HOSTILE = [
    # line, code of the error, id of the answer
    (b"no json", -32700, None),
    (b"{", -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"} trailing', -32700, None),
    (b'\xff\xfe{"jsonrpc":"2.0"}', -32700, None),
    (b'{"jsonrpc":"2.0","id":1,"method":"a\x00b"}', -32700, None),
    (b'{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}', -32700, None),
    (b"[]", -32600, None),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
    (b"17", -32600, None),
    (b'"ping"', -32600, None),
    (b"null", -32600, None),
    (b"{}", -32600, None),
    (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7),
    (b'{"jsonrpc":2.0,"id":"a","method":"ping"}', -32600, "a"),
    (b'{"jsonrpc":"2.0","id":7}', -32600, 7),
    (b'{"jsonrpc":"2.0","id":7,"method":["ping"]}', -32600, 7),
    (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', -32600, 7),
    (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":"x"}', -32600, 7),
    (b'{"jsonrpc":"2.0","id":"\\ud83d\\ude00","method":"none"}', -32601, "😀"),
    (b'{"jsonrpc":"2.0","id":-9223372036854775808,"method":"none"}', -32601, -(2**63)),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"none"}', -32601, 1.5),
    (b'{"jsonrpc":"2.0","id":7,"method":"resources/list"}', -32601, 7),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/call"}', -32602, 7),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"rm -rf"}}', -32602, 7),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":{"a":1}}}', -32602, 7),
    (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}", -32600, None),
    (b"[" * 1_000_000, -32600, None),
    (b'{"jsonrpc":"2.0","id":7,"method":"' + b"x" * 5_000_000 + b'"}', -32600, None),
]


def test_hostile_lines():
    with Mcp() as client:
        for line, code, id in HOSTILE:
            client.send(line + b"\n")
            answer = client.receive()
            assert answer["error"]["code"] == code and answer["id"] == id, (line[:80], answer)
            assert answer["error"]["message"]
        for silent in (b"", b"\r", b'{"jsonrpc":"2.0","id":4,"result":{}}', b'{"jsonrpc":"2.0","id":4,"error":{}}',
                       b'{"jsonrpc":"2.0","method":"notifications/none"}', b'{"jsonrpc":"2.0","method":"tools/call"}',
                       b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}'):  # fmt: skip
            client.send(silent + b"\n")
        client.send(b'{"jsonrpc":"2.0","id":"last","method":"ping"}\r\n')
        assert client.receive() == {"jsonrpc": "2.0", "id": "last", "result": {}}


MISUSED = [
    ("list_requests", {"limit": 0}, "limit"), ("list_requests", {"limit": "5"}, "limit"), ("list_requests", {"nothing": 1}, "nothing"),
    ("list_requests", {"reveal": "yes"}, "reveal"), ("inspect_request", {}, "id"), ("inspect_request", {"id": 1.5}, "id"),
    ("inspect_request", {"id": -1}, "id"), ("inspect_request", {"id": "1", "body_limit": 10**9}, "body_limit"),
    ("replay_request", {"id": "1", "headers": {"a": 1}}, "a"), ("replay_request", {"id": "1", "headers": []}, "headers"),
    ("replay_request", {"id": "1", "times": 101}, "times"), ("replay_request", {"id": "1", "port": 0}, "port"),
    ("compare_requests", {"a": 1}, "b"), ("wait_for_request", {"timeout_seconds": 301}, "timeout_seconds"),
    ("start_tunnel", {"name": "x"}, "service"),
]  # fmt: skip


def test_wrong_arguments_are_told_to_the_model():
    with Mcp("--inspect-url", f"http://127.0.0.1:{free_port()}") as client:
        for tool, arguments, names in MISUSED:
            assert names in client.refused(tool, **arguments), (tool, arguments)


def test_a_last_line_without_its_end_and_much_input_at_once():
    lines = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n' % n for n in range(20000))
    done = subprocess.run([BIN / "ttf", "mcp"], input=lines + b'{"jsonrpc":"2.0","id":"end","method":"ping"}', capture_output=True, timeout=60)
    answers = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert done.returncode == 0 and done.stderr == b"" and answers == [*range(20000), "end"]


def test_who_does_not_read_its_answers_costs_no_memory():
    """40 MB of requests whose answers nobody takes: it stops reading."""
    process = subprocess.Popen([BIN / "ttf", "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    os.set_blocking(process.stdin.fileno(), False)
    line, sent, since = b'{"jsonrpc":"2.0","id":"%s","method":"none"}\n' % (b"x" * 1000), 0, time.monotonic()
    while sent < 40_000_000 and time.monotonic() - since < 1:
        written = process.stdin.raw.write(line * 50) or 0
        if written:
            sent, since = sent + written, time.monotonic()
    rss = next(int(row.split()[1]) for row in open(f"/proc/{process.pid}/status") if row.startswith("VmRSS:"))
    process.kill()
    process.communicate()
    assert sent < 40_000_000 and (SLOW > 1 or rss < 32 * 1024), (sent, rss)


def test_it_ends_when_nobody_takes_its_answers():
    process = subprocess.Popen([BIN / "ttf", "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.close()
    process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    process.stdin.flush()
    assert process.wait(20 * SLOW) == 0
    process.stdin.close()


def test_help_is_its_own():
    done = subprocess.run([BIN / "ttf", "mcp", "--help"], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0 and "mcpServers" in done.stdout
    with Mcp() as client:
        for tool in client.ask("tools/list")["result"]["tools"]:
            assert tool["name"] in done.stdout

