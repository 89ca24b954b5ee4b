"""Some 1400 requests that are malformed or could be read in two ways, before a service that keeps what it sees: that is exactly one
clear request or nothing, and the visitor gets an answer or a close. In pieces, too: cut somewhere, each at another place."""

import concurrent.futures
import re
import socket
import zlib

import pytest

import http_raw
from arenas import many
from programs import SLOW
from recording_origin import RecordingOrigin
from smuggling_rows import CUT, FOREIGN, GROUPS, PASSED, REFUSED, SMUGGLED, rows

pytestmark = pytest.mark.protocols("v1", "v2")


@pytest.fixture(scope="module")
def arenas(tmp_path_factory):
    """arenas(protocol): a gateway, a ttf and a recording origin for all groups."""
    with many(tmp_path_factory, RecordingOrigin) as get:
        yield get


def fill(data, arena, row):
    """%LEN% is the length of all that stands behind the head, %HEX% that of the request in a chunk."""
    names = {b"%HOST%": arena.ttf.host, b"%NAME%": arena.ttf.host.partition(":")[0], b"%ROW%": row}
    for mark, text in names.items():
        data = data.replace(mark, text.encode())
    if b"%HEX%" in data:
        data = data.replace(b"%HEX%", b"%x" % len(fill(SMUGGLED, arena, row)))
    return data.replace(b"%LEN%", b"%d" % len(data.partition(b"\r\n\r\n")[2]))


def send_in_pieces(connection, data, where):
    for piece in (data[:where], data[where:]):
        try:
            connection.send(piece)
        except ConnectionError:
            return  # it has been refused already


def check_refused(connection):
    """What the visitor sees of a refusal: at most one answer, and the end."""
    data = connection.read_until_close(20 * SLOW)
    if not data:
        return None
    status = data.split(b" ", 2)[1]
    if len(re.findall(rb"HTTP/1\.[01] \d{3} ", data)) != 1 or status[:1] not in b"45":
        return f"answered {data[:200]!r}"
    return None


def check_in_step(connection, arena, response):
    """Behind an answer: the end, if it said so, else the next request has the next answer."""
    if (response.header("connection") or "").lower() == "close" or response.version == "HTTP/1.0":
        left = connection.read_until_close(20 * SLOW)
        return f"behind the answer: {left!r}" if left else None
    connection.send(http_raw.build(host=arena.ttf.host, headers=[("X-Row", "after")]))
    after = connection.read_response()
    return None if after.body == b"row after" else f"out of step: {after}"


def visit(arena, name, row):
    """What is wrong with what the visitor saw, or None; and whether it was answered by the service."""
    try:
        return try_visit(arena, name, row)
    except (TimeoutError, http_raw.Malformed, http_raw.Cut, ConnectionError) as error:
        return f"{type(error).__name__}: {error}", False


def try_visit(arena, name, row):
    data = fill(row.data, arena, name)
    method = data.partition(b" ")[0].decode("latin-1")
    with arena.connect(timeout=20 * SLOW) as connection:
        send_in_pieces(connection, data, zlib.crc32(name.encode()) % len(data) if len(data) < 4000 else len(data))
        if row.verdict == CUT:
            connection.socket.shutdown(socket.SHUT_WR)
        if row.verdict in (REFUSED, CUT):
            return check_refused(connection), False
        try:
            response = connection.read_response(method)
        except (http_raw.Cut, ConnectionError) as cut:
            return (f"cut: {cut}" if row.verdict == PASSED else None), False
        if response.status == 200:
            return check_in_step(connection, arena, response), True
        if row.verdict == FOREIGN:
            return None if response.error in ("unknown_host", "tunnel_not_found") else f"answered {response}", False
        if row.verdict == PASSED or response.status < 400:
            return f"answered {response}", False
        return check_refused(connection), False


def check_seen(arena, name, row, answered):
    """What is wrong with what the service saw, or None."""
    seen = arena.service.of(name)
    if len(seen) != (1 if answered else 0):
        return f"the service saw {seen}, the visitor {'an' if answered else 'no'} answer"
    if arena.service.of(f"smuggled-{name}"):
        return "a second request was served"
    if not answered:
        return None
    if seen[0].body != fill(row.body, arena, name):
        return f"the service saw the body {seen[0].body!r}"
    if seen[0].all(b"host") != [arena.ttf.host.encode()]:
        return f"the service saw the hosts {seen[0].all(b'host')}"
    return None


@pytest.mark.parametrize("group", GROUPS)
def test_one_clear_request_or_nothing(arenas, protocol, group):
    arena, table = arenas(protocol), rows(group)
    with concurrent.futures.ThreadPoolExecutor(8) as visitors:
        results = list(visitors.map(lambda entry: visit(arena, *entry), table))
    settled = arena.request(headers=[("X-Row", "settled")])  # whatever was on its way has got there
    assert settled.body == b"row settled"
    wrong = []
    for (name, row), (fault, answered) in zip(table, results):
        fault = fault or check_seen(arena, name, row, answered)
        if fault:
            wrong.append(f"{row.name} ({row.verdict}): {fault}")
    known = {name for name, _ in table} | {"settled", "after"}
    strange = [seen for seen in arena.service.seen if seen.row not in known]
    arena.service.seen.clear()
    unclear, arena.service.unclear[:] = list(arena.service.unclear), []
    assert not wrong, f"{len(wrong)} of {len(table)}:\n" + "\n".join(wrong)
    assert not unclear, unclear[:10]
    assert not strange, strange[:10]
    for program in (arena.gateway, arena.ttf):
        assert program.process.poll() is None
        program.check()


def test_there_are_many(protocol):
    """So that none gets lost: what issue and docs promise is a number."""
    if protocol == "v2":
        assert sum(len(rows(group)) for group in GROUPS) >= 1400
