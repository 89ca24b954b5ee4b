"""The request gate, row by row, in raw bytes. A row that must be refused gets a 4xx or 5xx, the connection ends, and nothing of
it reaches the local service, above all not a second request hidden behind the first."""

import re
import time

import pytest

import http_raw

pytestmark = pytest.mark.protocols("v1", "v2")

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: %HOST%\r\n\r\n"


def get(*lines, first=b"GET /row HTTP/1.1", host=True, behind=b""):
    head = [first] + ([b"Host: %HOST%"] if host else []) + list(lines)
    return b"\r\n".join(head) + b"\r\n\r\n" + behind


def post(*lines, body=b"", first=b"POST /row HTTP/1.1"):
    return get(*lines, first=first, behind=body + SMUGGLED)


def chunked(body):
    return post(b"Transfer-Encoding: chunked", body=body)


ZERO = b"0\r\n\r\n"

# name: (bytes, status codes that are right)
REFUSED = {
    # ambiguous framing
    "CL + TE": (post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=ZERO), {400}),
    "TE + CL": (post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=ZERO), {400}),
    "CL 0 + TE": (post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=ZERO), {400}),
    "two different CL": (post(b"Content-Length: 0", b"Content-Length: 5", body=b"hello"), {400}),
    "two different CL, larger first": (post(b"Content-Length: 5", b"Content-Length: 0", body=b"hello"), {400}),
    "CL list of equals": (post(b"Content-Length: 5, 5", body=b"hello"), {400}),
    "CL list of others": (post(b"Content-Length: 5, 6", body=b"hello"), {400}),
    "CL with a plus": (post(b"Content-Length: +5", body=b"hello"), {400}),
    "CL negative": (post(b"Content-Length: -48", body=b"hello"), {400}),
    "CL empty": (post(b"Content-Length:", body=b""), {400}),
    "CL hexadecimal": (post(b"Content-Length: 0x5", body=b"hello"), {400}),
    "CL with an underscore": (post(b"Content-Length: +1_0", body=b"hello"), {400}),
    "CL with a blank inside": (post(b"Content-Length: 1 0", body=b"hello"), {400}),
    "CL with a letter": (post(b"Content-Length: 5a", body=b"hello"), {400}),
    "CL of 2^63": (post(b"Content-Length: 9223372036854775808", body=b"hello"), {400}),
    "CL beyond 64 bits": (post(b"Content-Length: 99999999999999999999", body=b"hello"), {400, 413}),
    "CL of 2^64": (post(b"Content-Length: 18446744073709551616", body=b"hello"), {400, 413}),
    "CL of 2^64 + 5": (post(b"Content-Length: 18446744073709551621", body=b"hello"), {400, 413}),
    "blank before the colon of CL": (post(b"Content-Length : 5", body=b"hello"), {400}),
    "tab before the colon of CL": (post(b"Content-Length\t: 5", body=b"hello"), {400}),
    "blank before the colon of TE": (post(b"Transfer-Encoding : chunked", body=ZERO), {400}),
    "vertical tab before the colon": (post(b"Content-Length\x0b: 5", body=b"hello"), {400}),
    "0x85 behind the name": (post(b"Content-Length\x85: 5", body=b"hello"), {400}),
    "0xa0 before the name": (post(b"\xa0Content-Length: 5", body=b"hello"), {400}),
    "TE xchunked": (post(b"Transfer-Encoding: xchunked", body=ZERO), {400, 501}),
    "TE gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=ZERO), {400, 501}),
    "TE chunked, gzip": (post(b"Transfer-Encoding: chunked, gzip", body=ZERO), {400, 501}),
    "TE chunked, chunked": (post(b"Transfer-Encoding: chunked, chunked", body=ZERO), {400, 501}),
    "TE twice": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=ZERO), {400, 501}),
    "TE chunked and identity": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=ZERO), {400, 501}),
    "TE identity and chunked": (post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=ZERO), {400, 501}),
    "TE identity": (post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"), {400, 501}),
    "TE with a leading comma + CL": (post(b"Transfer-Encoding: ,chunked", b"Content-Length: 5", body=ZERO), {400, 501}),
    "TE with a trailing comma": (post(b"Transfer-Encoding: chunked,", body=ZERO), {400, 501}),
    "TE empty": (post(b"Transfer-Encoding:", body=ZERO), {400, 501}),
    "TE with a vertical tab": (post(b"Transfer-Encoding: \x0bchunked", body=ZERO), {400, 501}),
    "TE with a form feed": (post(b"Transfer-Encoding: chunked\x0c", body=ZERO), {400, 501}),
    "TE quoted": (post(b'Transfer-Encoding: "chunked"', body=ZERO), {400, 501}),
    "TE with a parameter": (post(b"Transfer-Encoding: chunked;q=1", body=ZERO), {400, 501}),
    "TE on HTTP/1.0": (post(b"Transfer-Encoding: chunked", body=ZERO, first=b"POST /row HTTP/1.0"), {400}),
    "TE on HTTP/1.0 that keeps alive": (
        post(b"Transfer-Encoding: chunked", b"Connection: keep-alive", body=ZERO, first=b"POST /row HTTP/1.0"),
        {400},
    ),
    # chunks
    "chunk size 0x5": (chunked(b"0x5\r\nhello\r\n" + ZERO), {400}),
    "chunk size with an underscore": (chunked(b"0_2e\r\n" + b"x" * 46 + b"\r\n" + ZERO), {400}),
    "chunk size negative": (chunked(b"-0x0\r\n\r\n"), {400}),
    "chunk size minus one": (chunked(b"-1\r\nx\r\n" + ZERO), {400}),
    "chunk size with a plus": (chunked(b"+5\r\nhello\r\n" + ZERO), {400}),
    "chunk size with text": (chunked(b"1these\r\nx\r\n" + ZERO), {400}),
    "chunk size empty": (chunked(b"\r\nhello\r\n" + ZERO), {400}),
    "chunk size beyond 64 bits": (chunked(b"10000000000000005\r\nhello\r\n" + ZERO), {400, 413}),
    "chunk longer than it says": (chunked(b"3\r\nhello\r\n" + ZERO), {400}),
    "chunk without its CRLF": (chunked(b"5\r\nhello0\r\n\r\n"), {400}),
    "chunk ended by CR CR": (chunked(b"5\r\r;ABCD\r\nhello\r\n" + ZERO), {400}),
    # Host
    "no Host": (get(host=False), {400}),
    "two Hosts": (get(b"Host: %HOST%"), {400}),
    "two different Hosts": (get(b"Host: evil.example"), {400}),
    "empty Host": (get(b"Host:", host=False), {400}),
    "Host with user info": (get(b"Host: user@%HOST%", host=False), {400}),
    "Host with a path": (get(b"Host: %HOST%/x", host=False), {400}),
    "Host with a blank": (get(b"Host: a %HOST%", host=False), {400}),
    "Host with a bad port": (get(b"Host: %NAME%:80a", host=False), {400}),
    "Host with a port too large": (get(b"Host: %NAME%:65536", host=False), {400}),
    "Host list": (get(b"Host: %HOST%, %HOST%", host=False), {400}),
    "Host with a control byte": (get(b"Host: %NAME%\x01", host=False), {400}),
    "Host with a percent escape": (get(b"Host: %25%HOST%", host=False), {400}),
    "blank before the colon of Host": (get(b"Host : %HOST%", host=False), {400}),
    "Host missing on HTTP/1.0": (get(host=False, first=b"GET /row HTTP/1.0"), {400}),
    # names and values
    "empty name": (get(b": x"), {400}),
    "line without a colon": (get(b"nothing here"), {400}),
    "name with a blank inside": (get(b"X Y: 1"), {400}),
    "name with a bracket": (get(b"X(Y): 1"), {400}),
    "name with a control byte": (get(b"X\x01Y: 1"), {400}),
    "name with a byte beyond ASCII": (get(b"X\xe9: 1"), {400}),
    "blank before the first name": (b"GET /row HTTP/1.1\r\n Host: %HOST%\r\n\r\n", {400}),
    "bare CR in a value": (get(b"X: a\rb"), {400}),
    "bare CR and a name": (get(b"X: a\rContent-Length: 5"), {400}),
    "control byte in a value": (get(b"X: a\x01b"), {400}),
    "DEL in a value": (get(b"X: a\x7fb"), {400}),
    "NUL in a value": (get(b"X: a\0b"), {400}),
    "NUL in a name": (get(b"X\0Y: b"), {400}),
    "obs-fold": (get(b"X: b", b" c"), {400}),
    "obs-fold with a tab": (get(b"X: b", b"\tc"), {400}),
    "fold in the first header line": (b"GET /row HTTP/1.1\r\nX: a\r\n b\r\nHost: %HOST%\r\n\r\n", {400}),
    # line ends
    "bare LF after the request line": (b"GET /row HTTP/1.1\nHost: %HOST%\r\n\r\n", {400}),
    "bare LF after a header": (b"GET /row HTTP/1.1\r\nHost: %HOST%\nX: 1\r\n\r\n", {400}),
    "bare LF everywhere": (b"GET /row HTTP/1.1\nHost: %HOST%\n\n", {400}),
    "bare LF after a chunk size": (chunked(b"5\nhello\r\n0\r\n\r\n"), {400}),
    "bare LF after a chunk": (chunked(b"5\r\nhello\n0\r\n\r\n"), {400}),
    "LF in a chunk extension": (chunked(b"5;a\nhello\r\n0\r\n\r\n"), {400}),
    "bare CR ends the request line": (b"GET /row HTTP/1.1\rHost: %HOST%\r\n\r\n", {400}),
    # the request line
    "method with a control byte": (get(first=b"G\x01T /row HTTP/1.1"), {400}),
    "method with a bracket": (get(first=b"G(T /row HTTP/1.1"), {400}),
    "method empty": (get(first=b" /row HTTP/1.1"), {400}),
    "CONNECT": (get(first=b"CONNECT example.com:443 HTTP/1.1"), {400, 405, 501}),
    "CONNECT with a path": (get(first=b"CONNECT /row HTTP/1.1"), {400, 405, 501}),
    "blank in the target": (get(first=b"GET /row x HTTP/1.1"), {400}),
    "tab in the target": (get(first=b"GET /row\tx HTTP/1.1"), {400}),
    "control byte in the target": (get(first=b"GET /row\x01 HTTP/1.1"), {400}),
    "DEL in the target": (get(first=b"GET /row\x7f HTTP/1.1"), {400}),
    "fragment in the target": (get(first=b"GET /row#x HTTP/1.1"), {400}),
    "target without a slash": (get(first=b"GET row HTTP/1.1"), {400}),
    "target empty": (get(first=b"GET  HTTP/1.1"), {400}),
    "authority form for GET": (get(first=b"GET example.com:80 HTTP/1.1"), {400}),
    "asterisk for GET": (get(first=b"GET * HTTP/1.1"), {400}),
    "absolute form of another scheme": (get(first=b"GET ftp://%HOST%/row HTTP/1.1"), {400}),
    "absolute form without an authority": (get(first=b"GET http:///row HTTP/1.1"), {400}),
    "absolute form with user info": (get(first=b"GET http://u:p@%HOST%/row HTTP/1.1"), {400}),
    "HTTP/1.2": (get(first=b"GET /row HTTP/1.2"), {400, 505}),
    "HTTP/2.0": (get(first=b"GET /row HTTP/2.0"), {400, 505}),
    "HTTP/0.9": (get(first=b"GET /row HTTP/0.9"), {400, 505}),
    "HTTP/11": (get(first=b"GET /row HTTP/11"), {400, 505}),
    "http/1.1 in lower case": (get(first=b"GET /row http/1.1"), {400, 505}),
    "no version": (b"GET /row\r\nHost: %HOST%\r\n\r\n", {400, 505}),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n", {400, 505}),
    "unknown expectation": (post(b"Expect: 200-ok", b"Content-Length: 0"), {417}),
}

# name: (bytes, what the local service must have seen as body, or None where it is all the same)
PASSED = {
    "plain": (get(), b""),
    "CL with zeros in front": (get(b"Content-Length: 005", first=b"POST /row HTTP/1.1", behind=b"hello"), b"hello"),
    "equal CLs are refused or read": (get(b"Content-Length: 5", b"Content-Length: 5", first=b"POST /row HTTP/1.1", behind=b"hello"), b"hello"),
    "TE in upper case": (get(b"Transfer-Encoding: CHUNKED", first=b"POST /row HTTP/1.1", behind=b"5\r\nhello\r\n0\r\n\r\n"), b"hello"),
    "TE with blanks around is refused or read": (get(b"Transfer-Encoding:  \tchunked \t", first=b"POST /row HTTP/1.1", behind=b"5\r\nhello\r\n0\r\n\r\n"), b"hello"),
    "chunk size in upper case with zeros": (get(b"Transfer-Encoding: chunked", first=b"POST /row HTTP/1.1", behind=b"0005\r\nhello\r\n000\r\n\r\n"), b"hello"),
    "chunk extensions": (get(b"Transfer-Encoding: chunked", first=b"POST /row HTTP/1.1", behind=b'5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n'), b"hello"),
    "trailers are dropped": (get(b"Transfer-Encoding: chunked", first=b"POST /row HTTP/1.1", behind=b"5\r\nhello\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\r\n"), b"hello"),
    "blanks around a value": (get(b"X-V: \t a b \t "), b""),
    "value with bytes beyond ASCII": (get(b"X-V: caf\xc3\xa9"), b""),
    "empty value": (get(b"X-V:"), b""),
    "tab within a value": (get(b"X-V: a\tb"), b""),
    "empty line in front": (b"\r\n" + get(), b""),
    "GET with a body": (get(b"Content-Length: 5", behind=b"hello"), b"hello"),
}  # fmt: skip


def fill(data, stack):
    name = stack.ttf.host.partition(":")[0].encode()
    return data.replace(b"%HOST%", stack.ttf.host.encode()).replace(b"%NAME%", name)


def statuses_in(data):
    """All that looks like a status line."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", data)]


def settle(stack):
    """Another request that comes back: whatever was on its way to the service has got there."""
    assert stack.request(target="/settled").status == 200


@pytest.mark.parametrize("row", REFUSED)
def test_refused(stack, row):
    data, codes = REFUSED[row]
    with stack.connect() as connection:
        connection.send(fill(data, stack))
        answer = connection.read_until_close()
    settle(stack)
    assert stack.service.seen("/smuggled") == [], "a second request was served"
    assert stack.service.seen("/row") == [], "it reached the local service"
    statuses = statuses_in(answer)
    assert len(statuses) == 1, answer
    assert set(statuses) <= codes, answer


@pytest.mark.parametrize("row", PASSED)
def test_passed(stack, row):
    data, body = PASSED[row]
    with stack.connect() as connection:
        connection.send(fill(data, stack))
        response = connection.read_response()
        may_refuse = "refused or" in row
        if may_refuse and response.status == 400:
            assert connection.is_closed_within(30)
            return
        assert response.status == 200, response
        seen = stack.service.seen("/row")
        assert len(seen) == 1
        assert seen[0].body == body
        assert len(seen[0].all("content-length")) + len(seen[0].all("transfer-encoding")) <= 1
        assert seen[0].all("host") == [stack.ttf.host]
        # The connection is still in step.
        connection.send(http_raw.build(target="/after", host=stack.ttf.host))
        assert connection.read_response().json()["target"] == "/after"


def test_values_are_trimmed(stack):
    stack.exchange(fill(PASSED["blanks around a value"][0], stack))
    assert stack.service.seen("/row")[0].header("x-v") == "a b"


def test_an_answer_of_a_refusal_says_that_it_closes(stack):
    with stack.connect() as connection:
        connection.send(fill(REFUSED["two different CL"][0], stack))  # every libmicrohttpd leaves this one to us
        response = connection.read_response()
        assert (response.status, response.error) == (400, "bad_request")
        assert (response.header("connection") or "").lower() == "close"
        assert connection.read_until_close() == b""


def test_a_request_behind_a_refused_one_is_not_served(stack):
    """However late it comes."""
    with stack.connect() as connection:
        connection.send(fill(get(b"Host: other.example"), stack))
        assert connection.read_response().status == 400
        try:
            connection.send(fill(SMUGGLED, stack))
        except ConnectionError:
            pass
        assert connection.read_until_close() == b""
    settle(stack)
    assert stack.service.seen("/smuggled") == []


def test_chunk_of_an_absurd_size_is_not_waited_for_by_others(stack):
    with stack.connect() as connection:
        connection.send(fill(chunked(b"fffffffffffffff\r\nhello\r\n" + ZERO), stack))
        settle(stack)
    assert stack.service.seen("/row") == [] and stack.service.seen("/smuggled") == []


@pytest.mark.parametrize("upgrades", [[b"websocket", b"h2c"], [b"h2c"], [b"TLS/1.0"], [b"websocket"]])
def test_upgrades(stack, protocol, upgrades):
    """Nothing is upgraded on v1, nor by a service that answers 200; what follows is plain HTTP."""
    key = [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="] if b"websocket" in upgrades else []
    data = get(b"Connection: upgrade", *[b"Upgrade: " + one for one in upgrades], *key)
    with stack.connect() as connection:
        connection.send(fill(data, stack))
        response = connection.read_response()
        assert response.status in (200, 400), response
        for request in stack.service.seen("/row"):
            upgrade = request.header("upgrade")
            assert upgrade is None or (protocol == "v2" and upgrade.encode() in upgrades and upgrade != "h2c")
        if response.status != 400:
            connection.send(http_raw.build(target="/after", host=stack.ttf.host))
            assert connection.read_response().status == 200


def test_head_that_never_ends(start):
    """A head that comes byte by byte has one deadline in all."""
    service = start.service()
    gateway = start.gateway("--header-timeout", "1")
    ttf = start.forwarder(gateway, service)
    with http_raw.Connection(gateway.address) as connection:
        connection.send(f"GET /slow HTTP/1.1\r\nHost: {ttf.host}\r\nX-Slow: ".encode())
        end = time.monotonic() + 60
        connection.socket.settimeout(0.1)
        data = None
        while time.monotonic() < end and data is None:
            try:
                connection.send(b"x")
                data = connection.socket.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                data = b""
        assert data is not None, "the gateway still waits"
        assert data == b"" or data.startswith(b"HTTP/1.1 408"), data
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_silent_connection_is_ended(start):
    gateway = start.gateway("--header-timeout", "1")
    with http_raw.Connection(gateway.address) as connection:
        answer = connection.read_until_close(20)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 2000 Long\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhellooo",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    ],
    ids=lambda data: repr(data[:60]),
)
def test_bad_answers_of_the_service(stack, protocol, response):
    """502, and never the service's bad bytes."""
    stack.service.answer("/bad", raw=response)
    try:
        answer = stack.request(target="/bad")
    except (http_raw.Cut, ConnectionError):
        assert protocol == "v2" and b"\r\nzz\r\n" in response, "cut"
        return
    assert answer.status == 502, answer
    assert answer.error in ("bad_response", "agent_lost"), answer
    assert answer.error == "bad_response"
    assert stack.request(target="/good").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"200 OK\r\nContent-Length: 2\r\nContent-Length: 2",
        b"200 OK\r\nContent-Length: 2, 2",
        b"200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2",
        b"200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2",
        b"600 Odd\r\nContent-Length: 2",
        b"999 Odd\r\nContent-Length: 2",
    ],
    ids=lambda data: repr(data[:60]),
)
def test_answers_that_browsers_take(stack, protocol, head):
    """What a client may repair (RFC 9112) is repaired; to the visitor it is one answer with one length."""
    stack.service.answer("/odd", raw=b"HTTP/1.1 " + head + b"\r\n\r\nhi")
    answer = stack.request(target="/odd")
    assert (answer.status, answer.body, answer.error) == (int(head[:3]), b"hi", None), answer
    assert answer.all("content-length") in (["2"], []), answer.headers
    if b"Folded" in head:
        assert answer.header("x-folded").split() == ["a", "b"]


def test_why_an_answer_was_refused(stack, protocol):
    """In the gateway's log, as it logs by itself, and in ttf's line."""
    stack.service.answer("/why", raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    assert stack.request(target="/why?token=hidden").error == "bad_response"
    why = "the service sent Content-Length and Transfer-Encoding"
    line = stack.gateway.wait_err(f"/why.*bad_response: {why}")
    assert "hidden" not in str(line)
    stack.ttf.wait_line(f"/why.*{why}")
