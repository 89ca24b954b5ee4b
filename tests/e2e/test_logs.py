"""The access log and its forms, request ids and traces."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

import backends
from http_raw import request
from programs import BIN

pytestmark = [
    pytest.mark.skipif(backends.STACK == "aws", reason="of ttf-gateway"),
    pytest.mark.protocols("v2", "v1"),
]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PROXIES = ("--trusted-proxies", "127.0.0.0/8")


def front(stack):
    return getattr(stack.gateway, "front", stack.gateway)


def lines_of(path, count, seconds=60):
    """The lines, once there are so many."""
    end = time.monotonic() + seconds
    while True:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        assert time.monotonic() < end, f"{len(lines)} lines, not {count}: {lines}"
        time.sleep(0.02)


@pytest.fixture
def logged(fresh, tmp_path):
    """logged(*options): a stack whose visitors' gateway writes JSON to .log"""

    def make(*options, form="json"):
        log = tmp_path / "access.log"
        stack = fresh("--access-log-format", form, "--access-log", log, *options)
        stack.log = log
        return stack

    return make


def test_each_request_is_an_object(logged, protocol):
    stack = logged()
    answer = stack.request("POST", "/a/b?token=secret", body=b"12345", headers=[("Cookie", "sid=secret"), ("Authorization", "secret")])
    assert answer.status == 200
    line = json.loads(lines_of(stack.log, 1)[0])
    assert (line["method"], line["path"], line["status"], line["fate"]) == ("POST", "/a/b", 200, "whole")
    assert (line["bytes_in"], line["bytes_out"]) == (5, len(answer.body))
    assert (line["tunnel"], line["client"]) == (stack.ttf.tunnel_id, "127.0.0.1")
    assert (line["protocol"], line["agent_protocol"]) == ("HTTP/1.1", protocol)
    assert line["request_id"] == answer.header("x-request-id")
    assert line["gateway"].startswith("ws://") and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert 0 <= line["service_duration"] <= line["duration"] and "owner" not in line
    assert "secret" not in stack.log.read_text()
    assert not any(" access: " in err for err in front(stack).err)


def test_an_error_of_ours_is_named(logged):
    stack = logged()
    answer = stack.request(host="nobody-has-it.localhost")
    line = json.loads(lines_of(stack.log, 1)[0])
    assert (line["status"], line["error"], line["tunnel"]) == (404, "tunnel_not_found", "nobody-has-it")
    assert line["request_id"] == answer.header("x-request-id")


def test_queries_are_shown_when_asked_for(logged):
    stack = logged("--access-log-query")
    stack.request(target="/a?x=1&token=secret")
    assert json.loads(lines_of(stack.log, 1)[0])["target"] == "/a?x=1&token=***"


def test_combined(logged):
    stack = logged(form="combined")
    stack.request(target="/a?x=1", headers=[("User-Agent", 'a "b"'), ("Referer", "http://x/?token=secret")])
    line = lines_of(stack.log, 1)[0]
    pattern = r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /a HTTP/1\.1" 200 \d+ "http://x/" "a \\x22b\\x22"'
    assert re.fullmatch(pattern, line), line


def test_to_standard_error(fresh):
    stack = fresh("--access-log-format", "json")
    stack.request(target="/a")
    assert json.loads(front(stack).wait_err(r'^\{.*"path":"/a".*\}$').group(0))["status"] == 200


def test_off(fresh):
    stack = fresh("--access-log-format", "off")
    stack.request(target="/a")
    stack.gateway.stop()
    assert not any("/a" in line for line in front(stack).err)


@pytest.mark.skipif(backends.STACK == "redis2", reason="two gateways, one file")
def test_a_moved_file_is_left_and_a_new_one_made(logged):
    stack = logged()
    stack.request(target="/1")
    lines_of(stack.log, 1)
    old = stack.log.rename(stack.log.with_suffix(".1"))
    stack.request(target="/2")
    assert json.loads(lines_of(stack.log, 1)[0])["path"] == "/2"
    assert len(old.read_text().splitlines()) == 1
    stack.gateway.process.send_signal(signal.SIGHUP)
    stack.request(target="/3")
    assert json.loads(lines_of(stack.log, 2)[1])["path"] == "/3"
    assert stack.log.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_stops_nothing_and_is_counted(fresh):
    stack = fresh("--access-log-format", "json", "--access-log", "/dev/full")
    for n in range(20):
        assert stack.request(target=f"/{n}").status == 200
    end = time.monotonic() + 60
    while True:
        page = request(front(stack).admin, "GET", "/metrics").body.decode()
        if "\nttf_log_lines_dropped_total 20\n" in page:
            break
        assert time.monotonic() < end, page
        time.sleep(0.02)


@pytest.mark.skipif(backends.STACK == "redis2", reason="no start of two gateways")
def test_a_path_that_cannot_be_written_refuses_the_start(tmp_path):
    for options, said in (
        (("--access-log-format", "json", "--access-log", tmp_path / "no" / "log"), "No such file"),
        (("--access-log-format", "xml"), "expected text, combined, json or off"),
        (("--access-log", tmp_path / "log"), "contradict"),
    ):
        addresses = [part for name in ("public", "agent", "admin") for part in (f"--{name}-listen", "127.0.0.1:0")]
        arguments = [BIN / "ttf-gateway", *addresses, "--state-dir", tmp_path, *options]
        ended = subprocess.run(arguments, capture_output=True, text=True, timeout=90)
        assert ended.returncode in (1, 2) and said in ended.stderr


# ---- ids ----


def test_each_request_has_an_id(fresh):
    stack = fresh()
    answers = [stack.request(target=f"/{n}", headers=[("X-Request-Id", "mine")]) for n in range(40)]
    ids = [answer.header("x-request-id") for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{16}", id) for id in ids) and len(set(ids)) == 40
    assert [r.all("x-request-id") for r in stack.service.seen()] == [[id] for id in ids]


def test_a_trusted_proxys_id_is_kept_if_it_is_one(fresh):
    stack = fresh(*PROXIES)
    assert stack.request(headers=[("X-Request-Id", "Root=1-67891233")]).header("x-request-id") == "Root=1-67891233"
    assert stack.service.seen()[-1].all("x-request-id") == ["Root=1-67891233"]
    for odd in ("a b", "x" * 129, 'a"'):
        given = stack.request(headers=[("X-Request-Id", odd)]).header("x-request-id")
        assert re.fullmatch("[0-9a-f]{16}", given) and stack.service.seen()[-1].all("x-request-id") == [given]
    given = stack.request(headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")]).header("x-request-id")
    assert re.fullmatch("[0-9a-f]{16}", given) and stack.service.seen()[-1].all("x-request-id") == [given]


def test_a_service_keeps_its_own(fresh):
    stack = fresh()
    stack.service.answer("/own", headers=[("X-Request-Id", "own")])
    assert stack.request(target="/own").all("x-request-id") == ["own"]


def test_without_ids(fresh):
    stack = fresh("--request-ids=false")
    assert stack.request(headers=[("X-Request-Id", "mine")]).header("x-request-id") is None
    assert stack.service.seen()[-1].all("x-request-id") == ["mine"]


# ---- traces ----


def test_traces_pass_and_are_logged(logged):
    stack = logged()
    stack.request(headers=[("traceparent", TRACEPARENT), ("tracestate", "a=1")])
    assert stack.service.seen()[-1].header("traceparent") == TRACEPARENT
    assert stack.service.seen()[-1].header("tracestate") == "a=1"
    stack.request(headers=[("traceparent", "nonsense"), ("tracestate", "a=1")])
    assert stack.service.seen()[-1].header("traceparent") == "nonsense"
    first, second = map(json.loads, lines_of(stack.log, 2))
    assert first["trace_id"] == TRACE and "trace_id" not in second


def test_traces_are_made_when_asked_for(logged):
    stack = logged("--make-traceparent")
    stack.request()
    stack.request(headers=[("traceparent", TRACEPARENT), ("tracestate", "a=1")])
    stack.request(headers=[("traceparent", "nonsense"), ("tracestate", "a=1")])
    made, passed, replaced = stack.service.seen()
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", made.header("traceparent"))
    assert (passed.header("traceparent"), passed.header("tracestate")) == (TRACEPARENT, "a=1")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", replaced.header("traceparent")) and not replaced.all("tracestate")
    logged_ids = [json.loads(line)["trace_id"] for line in lines_of(stack.log, 3)]
    assert logged_ids == [r.header("traceparent")[3:35] for r in (made, passed, replaced)]
