"""Services that answer what no service should, behind ttf: the visitor gets a proper answer, 502, or a cut, never what the service
smuggled in, and the next visitor gets nothing that was left behind."""

import concurrent.futures

import pytest

import http_raw
from arenas import many
from hostile_answers import ANY, BAD, CUT, FINE, GROUPS, HostileService
from programs import SLOW

pytestmark = pytest.mark.protocols("v1", "v2")


@pytest.fixture(scope="module")
def arenas(tmp_path_factory):
    """arenas(protocol): a gateway, a ttf and a hostile service for all groups."""
    with many(tmp_path_factory, HostileService, ttf=("--no-hints",)) as get:
        yield get


def judge(row, response):
    """What is wrong with that answer (None: the connection was cut), or None."""
    if response is None:
        return None if row.verdict in (CUT, ANY) else "cut"
    names = {name.lower() for name, _ in response.headers + response.trailers}
    if "x-injected" in {name.lower() for name, _ in response.headers} or "x-tunnel-upgraded" in names:
        return f"injected: {response}"
    if response.error is not None and response.error not in ("bad_response", "agent_lost", "response_too_large"):
        return f"an error of ours that the service made: {response}"
    refused = response.status == 502 and response.error is not None
    if row.verdict in (BAD, CUT):
        return None if refused else f"answered {response}"
    if row.verdict == FINE:
        return None if (response.status, response.body) == (200, row.body) else f"answered {response}"
    return None


def read_answer(connection, row):
    """The final answer; None where it is cut."""
    try:
        connection.send(row.sent or b"")
    except ConnectionError:
        pass
    try:
        response = connection.read_response(row.method)
        while response.status // 100 == 1 and response.status != 101:
            response = connection.read_response(row.method)
        return response
    except (http_raw.Cut, ConnectionError):
        return None


def visit(arena, target, row):
    with arena.connect(timeout=30 * SLOW) as connection:
        headers = [*row.headers, ("Content-Length", str(len(row.sent)))] if row.sent else row.headers
        connection.send(http_raw.build(row.method, target, arena.ttf.host, headers))
        response = read_answer(connection, row)
        if fault := judge(row, response):
            return fault
        if response is not None and (response.header("connection") or "").lower() == "close":
            left = connection.read_until_close(20 * SLOW)
            return f"behind the answer: {left!r}" if left else None
        if response is None or "content-length" not in dict(response.headers) and "transfer-encoding" not in dict(response.headers):
            return None
        connection.send(http_raw.build(target=f"/good{target}", host=arena.ttf.host))
        return own_answer(target, connection.read_response())


def own_answer(target, response):
    return None if response.body == f"/good{target}".encode() else f"the next has another's answer: {response}"


def attempt(arena, target, row):
    """What is wrong with what this visitor and the next one saw, or None."""
    try:
        fault = visit(arena, target, row)
        return fault or own_answer(target, arena.request(target=f"/good{target}"))
    except (TimeoutError, http_raw.Malformed, http_raw.Cut, ConnectionError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("group", GROUPS)
def test_a_proper_answer_or_none(arenas, protocol, group):
    arena = arenas(protocol)
    table = [(target, row) for target, row in arena.service.rows.items() if target.startswith(f"/{group.replace(' ', '-')}/")]
    with concurrent.futures.ThreadPoolExecutor(6) as visitors:
        faults = list(visitors.map(lambda entry: attempt(arena, *entry), table))
    wrong = [f"{row.name} ({row.verdict}): {fault}" for (_, row), fault in zip(table, faults) if fault]
    assert not wrong, f"{len(wrong)} of {len(table)}:\n" + "\n".join(wrong)
    for program in (arena.gateway, arena.ttf):
        assert program.process.poll() is None
        program.check()
        assert SLOW > 1 or program.rss_kib() < 64 * 1024


def test_an_answer_that_nobody_asked_for(arenas, protocol):
    """On a connection that is kept: nobody gets it."""
    arena = arenas(protocol)
    assert arena.request(target="/twice").body == b"once"
    arena.service.late.set()
    assert arena.service.closed.wait(60 * SLOW), "ttf keeps a connection that is out of step"
    for number in range(10):
        assert own_answer(f"/{number}", arena.request(target=f"/good/{number}")) is None


def test_there_are_many(protocol):
    if protocol == "v2":
        assert sum(len(list(GROUPS[group]())) for group in GROUPS) >= 700
