"""Output that nobody reads: the tunnel and the gateway go on, say afterwards what is missing, and end when they are told to."""

import re
import signal

import pytest

import http_raw
from programs import END_SECONDS, SLOW

LONG = "/" + "y" * 180
REQUESTS = 4500  # some 210 bytes a line: more than a pipe and our own bounds hold


def hammer(stack, count=REQUESTS):
    with stack.connect() as connection:
        for first in range(0, count, 50):
            wanted = b"".join(http_raw.build("GET", f"{LONG}?{i}", stack.ttf.host) for i in range(first, first + 50))
            connection.send(wanted)
            for i in range(50):
                assert connection.read_response().status == 200, first + i


def numbers(lines):
    """Of the requests that have a line, and how many lines are said to be missing."""
    seen = [int(found[1]) for line in lines if (found := re.search(r"yyy\S*\?(\d+) ", line))]
    missing = [int(found[1]) for line in lines if (found := re.search(r"\b(\d+) lines are missing here", line))]
    return seen, sum(missing)


def complete(seen, missing):
    return len(seen) + missing == REQUESTS


@pytest.mark.parametrize("side", ("out", "err"))
def test_unread_lines_stop_nothing_and_are_counted(fresh, side):
    stack = fresh()
    program, reads, lines = {
        "out": (stack.ttf, stack.ttf.reads_out, stack.ttf.out),
        "err": (stack.gateway, stack.gateway.reads_err, stack.gateway.err),
    }[side]
    reads.clear()
    hammer(stack)
    assert http_raw.request(stack.gateway.admin, "GET", "/healthz", "localhost").status == 200
    reads.set()
    program.wait_line(r"\d+ lines are missing here", stream=lines)
    assert stack.request(target="/and-then").status == 200
    program.wait_line(r"/and-then", stream=lines)
    seen, missing = numbers(lines)
    assert missing > 0 and seen == sorted(seen) and complete(seen, missing), (len(seen), missing)


@pytest.mark.parametrize("side", ("out", "err"))
def test_sigterm_with_a_full_output(fresh, side):
    stack = fresh("--drain-delay", "0")
    program = stack.ttf if side == "out" else stack.gateway
    reads = program.reads_out if side == "out" else program.reads_err
    reads.clear()
    hammer(stack)
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(END_SECONDS * SLOW) == 0
    reads.set()


def test_the_last_lines_are_not_lost(fresh):
    stack = fresh()
    hammer(stack, 500)
    assert stack.ttf.stop(signal.SIGTERM) == 0
    assert stack.gateway.stop() == 0
    for lines in (stack.ttf.out, stack.gateway.err):
        seen, missing = numbers(lines)
        assert seen == list(range(500)) and missing == 0


def test_a_line_said_too_often_is_counted(start):
    """One agent that says nonsense without end does not fill the disk."""
    gateway = start.gateway()
    agent = start.agent(gateway)
    for _ in range(2000):
        agent.send_text(b"{")
    gateway.wait_err(r"malformed message was dropped \(\d+ more like it\)", seconds=60)
    assert sum("malformed" in line for line in gateway.err) < 40


def test_one_agent_cannot_fill_the_log_with_varied_text(start):
    """What it says is another text each time; the lines of others still come."""
    gateway = start.gateway()
    loud, quiet = start.agent(gateway), start.agent(gateway)
    for i in range(3000):
        loud.send_text(b'{"type":"error","request_id":null,"code":"internal_error","message":"no %d"}' % i)
        loud.send_text(b'{"type":"http_response","request_id":"%d","status_code":200}' % i)
    quiet.send_text(b'{"type":"error","request_id":null,"code":"internal_error","message":"the other one"}')
    gateway.wait_err("it says: internal_error: the other one")
    gateway.wait_err(r"it says: internal_error: no \d+ \(\d+ more like it\)", seconds=60)
    gateway.wait_err(r"was dropped \(\d+ more like it\)", seconds=60)
    assert sum("it says: internal_error: no" in line for line in gateway.err) < 40
    assert sum("was dropped" in line for line in gateway.err) < 40


def test_the_log_is_for_reading_only(stack):
    """Neither a visitor's control bytes nor his secrets stand in a line, whatever they are written as."""
    target = "/log-marks?access_token=tell1&%74oken=tell2;password=tell3&a=1"
    stack.request(target=target)
    line = stack.gateway.wait_err(r"access: .*/log-marks\S*")[0]
    shown = stack.ttf.wait_line(r"/log-marks\S*")[0]
    assert "tell" not in line and "tell" not in shown and "&a=1" in line
    stack.exchange(b"GET /log-raw\xc2\x9b31m\xe2\x80\xae HTTP/1.1\r\nHost: " + stack.ttf.host.encode() + b"\r\nConnection: close\r\n\r\n")
    stack.gateway.wait_err(r"/log-raw\\xc2\\x9b31m\\xe2\\x80\\xae ")
