"""What HTTP carries through a tunnel: methods, bodies, headers, targets, byte for byte."""

import gzip
import hashlib
import os
import threading

import pytest

import backends
import http_raw
from service import Gate, Response

pytestmark = pytest.mark.protocols("v1", "v2")

MIB = 1 << 20


def sha256(data):
    return hashlib.sha256(data).hexdigest()


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "BREW", "get", "X!#$%&'*+.^_`|~9"]


@pytest.mark.parametrize("method", METHODS)
def test_method(stack, method):
    response = stack.request(method, "/method")
    assert response.status == 200, response
    assert response.json()["method"] == method
    assert response.error is None


def test_method_with_and_without_body(stack):
    for method in ("GET", "POST", "DELETE", "OPTIONS", "BREW"):
        response = stack.request(method, "/x", body=b"data")
        assert (response.json()["length"], response.json()["sha256"]) == (4, sha256(b"data")), method


def test_post_without_body_says_so(stack):
    response = stack.request("POST", "/x", headers=[("Content-Length", "0")])
    assert response.status == 200
    assert response.json()["length"] == 0


SIZES = [0, 1, 1000, 64 * 1024, 2 * MIB - 1, 2 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_request_body(stack, size):
    body = os.urandom(size)
    response = stack.request("POST", "/upload", body=body)
    assert response.status == 200, response
    assert (response.json()["length"], response.json()["sha256"]) == (size, sha256(body))


@pytest.mark.parametrize("size", SIZES)
def test_response_body(stack, size):
    body = os.urandom(size)
    stack.service.answer("/download", headers=[("Content-Type", "application/octet-stream")], body=body)
    response = stack.request(target="/download")
    assert response.status == 200, response
    assert len(response.body) == size
    assert sha256(response.body) == sha256(body)


@pytest.mark.protocols("v1")
@pytest.mark.parametrize("size", [2 * MIB + 1, 4 * MIB])
def test_request_body_too_large(stack, size):
    response = stack.request("POST", "/upload", body=bytes(size))
    assert (response.status, response.error) == (413, "body_too_large")
    assert stack.service.seen("/upload") == []


@pytest.mark.protocols("v1")
def test_request_body_too_large_is_known_from_its_length(stack):
    """Nothing of the body is sent: the answer comes from Content-Length alone."""
    with stack.connect() as connection:
        connection.send(http_raw.build("POST", "/upload", stack.ttf.host, [("Content-Length", str(2 * MIB + 1))]))
        response = connection.read_response()
        assert (response.status, response.error) == (413, "body_too_large")
        assert connection.is_closed_within(30)


@pytest.mark.protocols("v1")
def test_chunked_request_body_too_large(stack):
    with stack.connect() as connection:
        connection.send(http_raw.build("POST", "/upload", stack.ttf.host, [("Transfer-Encoding", "chunked")]))
        try:
            for _ in range(33):
                connection.send(b"10000\r\n" + bytes(65536) + b"\r\n")
        except ConnectionError:
            pass
        response = connection.read_response()
    assert (response.status, response.error) == (413, "body_too_large")
    assert stack.service.seen("/upload") == []


@pytest.mark.protocols("v2")
@pytest.mark.parametrize("size", [2 * MIB + 1, 9 * MIB])
@pytest.mark.parametrize("length", [True, False])
def test_bodies_have_no_limit(stack, size, length):
    data = os.urandom(size)
    stack.service.answer("/download", body=data, length=length)
    response = stack.request(target="/download")
    assert (response.status, sha256(response.body)) == (200, sha256(data))
    with stack.connect() as connection:
        if length:
            connection.send(http_raw.build("POST", "/upload", stack.ttf.host, body=data))
        else:
            connection.send(http_raw.build("POST", "/upload", stack.ttf.host, [("Transfer-Encoding", "chunked")]))
            for at in range(0, size, 100_000):
                piece = data[at : at + 100_000]
                connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.send(b"0\r\n\r\n")
        response = connection.read_response()
    assert (response.status, response.json()["sha256"]) == (200, sha256(data))


@pytest.mark.protocols("v1")
@pytest.mark.parametrize("size", [2 * MIB + 1, 5 * MIB])
@pytest.mark.parametrize("length", [True, False])
def test_response_body_too_large(stack, size, length):
    stack.service.answer("/download", body=bytes(size), length=length)
    response = stack.request(target="/download")
    assert (response.status, response.error) == (502, "response_too_large")


def test_chunked_request(stack):
    body = os.urandom(100_000)
    with stack.connect() as connection:
        connection.send(http_raw.build("PUT", "/chunks", stack.ttf.host, [("Transfer-Encoding", "chunked")]))
        for at in range(0, len(body), 7_001):
            piece = body[at : at + 7_001]
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\nX-Trailer: dropped\r\n\r\n")
        response = connection.read_response()
    assert response.status == 200, response
    assert response.json()["sha256"] == sha256(body)
    assert "x-trailer" not in dict(response.json()["headers"])


def test_answers_without_length_and_chunked_ones(stack, protocol):
    stack.service.answer("/until-close", body=b"no length", length=False)
    stack.service.answer(
        "/chunked",
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4\r\nfour\r\n6;a=b\r\n more!\r\n0\r\nX-T: 1\r\n\r\n",
    )
    assert stack.request(target="/until-close").body == b"no length"
    response = stack.request(target="/chunked")
    assert response.body == b"four more!"
    assert response.header("x-t") is None
    assert response.trailers == ([] if protocol == "v1" else [("X-T", "1")])


def test_answer_with_interim_ones_before_it(stack):
    stack.service.answer(
        "/hints",
        raw=b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    response = stack.request(target="/hints")
    assert (response.status, response.body) == (200, b"ok")
    assert response.header("link") is None


def test_answer_cut_short_by_the_service(stack):
    """Never a short body that looks whole."""
    stack.service.answer("/short", raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    try:
        response = stack.request(target="/short")
    except (http_raw.Cut, ConnectionError):
        return
    assert response.status == 502, response
    assert response.error == "bad_response"


def test_chunked_answer_cut_short_by_the_service(stack):
    stack.service.answer("/short", raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    try:
        response = stack.request(target="/short")
    except (http_raw.Cut, ConnectionError):
        return
    assert response.status == 502, response
    assert response.error == "bad_response"


def test_repeated_headers_keep_order(stack):
    cookies = ["a=1; Path=/", "b=2; HttpOnly", "c=3"]
    stack.service.answer("/cookies", headers=[("Set-Cookie", c) for c in cookies] + [("X-Empty", "")], body="ok")
    response = stack.request(target="/cookies", headers=[("X-Many", "1"), ("X-Many", "2, 3"), ("X-Many", ""), ("X-Nil", "")])
    assert response.all("set-cookie") == cookies
    assert response.all("x-empty") == [""]
    seen = stack.service.seen("/cookies")[0]
    assert seen.all("x-many") == ["1", "2, 3", ""]
    assert seen.all("x-nil") == [""]


@pytest.mark.protocols("v2")
def test_header_values_of_any_byte(stack):
    value = "".join(chr(n) for n in range(0x80, 0x100))
    stack.service.answer("/latin", headers=[("X-Back", value)], body="ok")
    response = stack.request(target="/latin", headers=[("X-Forth", value)])
    assert stack.service.seen("/latin")[0].header("x-forth") == value
    assert response.header("x-back") == value


def test_header_values_beyond_ascii(stack):
    """JSON text (v1) cannot hold every byte; UTF-8 passes as it is."""
    stack.service.answer("/utf8", headers=[("X-Back", "h\u00e9llo".encode().decode("latin-1"))], body="ok")
    response = stack.request(target="/utf8", headers=[("X-Forth", "\u65e5\u672c".encode().decode("latin-1"))])
    assert stack.service.seen("/utf8")[0].header("x-forth").encode("latin-1").decode() == "\u65e5\u672c"
    assert response.header("x-back").encode("latin-1").decode() == "h\u00e9llo"


def test_nothing_of_our_clients_own_is_added(stack):
    stack.request(target="/plain")
    names = {name.lower() for name, _ in stack.service.seen("/plain")[0].headers}
    assert names <= {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "connection"}, names
    stack.request("POST", "/post", body=b"abc")
    names = {name.lower() for name, _ in stack.service.seen("/post")[0].headers}
    assert "content-type" not in names and "expect" not in names, names


def test_big_post_brings_no_expect_of_its_own(stack):
    stack.request("POST", "/post", body=bytes(2 * MIB))
    assert stack.service.seen("/post")[0].header("expect") is None


def headers_of(total, each=4000):
    """Fields whose names, values and 4 bytes each add up to about `total`."""
    fields, left = [], total
    while left > 0:
        size = min(each, left)
        fields.append((f"X-Fill-{len(fields):03}", "v" * max(0, size - 14)))
        left -= size
    return fields


def test_60_kib_of_request_headers(stack):
    fields = headers_of(60 * 1024)
    response = stack.request(target="/many", headers=fields)
    assert response.status == 200, response
    seen = dict(stack.service.seen("/many")[0].headers)
    assert all(seen[name.lower()] == value for name, value in fields)


def test_60_kib_of_response_headers(stack):
    fields = headers_of(60 * 1024)
    stack.service.answer("/many", headers=fields, body="ok")
    response = stack.request(target="/many")
    assert response.status == 200, response.status
    assert all(response.header(name) == value for name, value in fields)


@pytest.mark.parametrize(
    "fields",
    [headers_of(65 * 1024), headers_of(90 * 1024), [("X-Long", "v" * 65536)], [(f"X-{i}", "1") for i in range(257)]],
    ids=["65 KiB", "90 KiB", "a value of 64 KiB", "257 fields"],
)
def test_request_headers_too_large(stack, fields):
    response = stack.request(target="/many", headers=fields)
    assert (response.status, response.error) == (431, "headers_too_large"), response
    assert stack.service.seen("/many") == []


def test_endless_headers_are_refused(stack):
    """Far over all limits: refused or cut, never waited for."""
    with stack.connect() as connection:
        try:
            connection.send(http_raw.build(host=stack.ttf.host, headers=headers_of(1 << 20)))
            data = connection.read_until_close()
        except ConnectionError:
            return
    assert not data or data.split(b" ")[1][:2] == b"43", data[:200]
    assert stack.request().status == 200


@pytest.mark.parametrize("size", [9000, 15000, 60000])
def test_large_values(stack, protocol, size):
    """Session cookies in pieces, Kerberos tickets, CSP: a head is bounded as a whole; agents of v1 take 8192 bytes a value."""
    stack.service.answer("/large", headers=[("Link", "a" * size)], body="ok")
    asked = stack.request(target="/asked", headers=[("Cookie", "c" * size)])
    answered = stack.request(target="/large")
    if protocol == "v1":
        assert (asked.status, asked.error, answered.status, answered.error) == (431, "headers_too_large", 502, "bad_response")
        return
    assert asked.status == 200 and stack.service.seen("/asked")[0].header("cookie") == "c" * size
    assert (answered.status, answered.header("link")) == (200, "a" * size)


@pytest.mark.protocols("v2")
def test_120_kib_of_response_headers(stack):
    fields = [("Set-Cookie", f"{number}=" + "v" * 3900) for number in range(30)]
    stack.service.answer("/many", headers=fields, body="ok")
    assert stack.request(target="/many").all("set-cookie") == [value for _, value in fields]


def test_response_headers_too_large(stack, protocol):
    stack.service.answer("/many", headers=headers_of((70 if protocol == "v1" else 135) * 1024), body="ok")
    response = stack.request(target="/many")
    assert (response.status, response.error) == (502, "bad_response"), response


HEADS = ("--max-request-head", "160KiB", "--max-answer-head", "190KiB")


def heads(stack, request_kib=None, answer_kib=None):
    """(status, error) of a request with such a head, or of one whose answer has it."""
    if answer_kib:
        stack.service.answer("/", headers=headers_of(answer_kib * 1024), body="ok")
    response = stack.request(headers=headers_of(request_kib * 1024) if request_kib else [])
    return response.status, response.error


def test_raised_bounds_of_heads(fresh, protocol):
    """Agents of v1 keep theirs, with the same errors."""
    stack = fresh(*HEADS)
    v1 = protocol == "v1"
    too_large, bad = (431, "headers_too_large"), (502, "bad_response")
    assert heads(stack, request_kib=150) == (too_large if v1 else (200, None))
    assert heads(stack, request_kib=161) == too_large
    assert heads(stack, answer_kib=180) == (bad if v1 else (200, None))
    assert heads(stack, answer_kib=191) == bad
    assert stack.request(target="/" + "p" * 60000).status == (414 if v1 else 200)
    assert stack.request(target="/" + "p" * 65536).error == "uri_too_long"
    assert stack.request(headers=[("X-Long", "v" * 65536)]).error == "headers_too_large"
    if not v1:
        stack.ttf.wait_line("too large a head")


def test_lowered_bounds_of_heads(fresh, protocol):
    stack = fresh("--max-request-head", "8KiB", "--max-answer-head", "8KiB")
    assert heads(stack, request_kib=7) == heads(stack, answer_kib=7) == (200, None)
    assert heads(stack, request_kib=9) == (431, "headers_too_large")
    assert stack.request(target="/" + "p" * 8192).error == "uri_too_long"
    assert heads(stack, answer_kib=9) == (502, "bad_response")
    if protocol == "v2":
        stack.ttf.wait_line("too large a head")


TARGETS = [
    "/?a=%2F&a=b+c&&=x",
    "/a%2Fb%2f/c%20d",
    "/a/./b/../c//d",
    "/%00%ff%E2%82%AC",
    "/?",
    "/??a=?#".rstrip("#"),
    "/p;v=1,2:3@x/!$&'()*+=~",
    '/"<>\\^`{|}',
    "/x?y={\"a\":[1]}",
    "//double/slash",
    "/" + "p" * 2040,
]


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_raw(stack, target):
    response = stack.request(target=target)
    assert response.status == 200, response
    assert response.json()["target"] == target


@pytest.mark.protocols("v2")
def test_target_of_60_000_bytes_and_more(stack):
    for target in ("/" + "p" * 2048, "/?" + "q" * 9000, "/" + "p" * 60000):
        response = stack.request(target=target)
        assert response.status == 200 and response.json()["target"] == target, (len(target), response)
    for target in ("/" + "p" * 65536, "/?" + "q" * 70000):
        response = stack.request(target=target)
        assert (response.status, response.error) == (414, "uri_too_long"), (len(target), response)


@pytest.mark.protocols("v1")
def test_target_of_2048_bytes_and_more(stack):
    assert stack.request(target="/" + "p" * 2047).status == 200
    for target in ("/" + "p" * 2048, "/?" + "q" * 2048, "/" + "p" * 9000, "/" + "p" * 60000):
        response = stack.request(target=target)
        assert (response.status, response.error) == (414, "uri_too_long"), (len(target), response)


def test_head(stack):
    stack.service.answer("/head", headers=[("X-Mark", "1")], body="x" * 1234)
    with stack.connect() as connection:
        for _ in range(3):
            connection.send(http_raw.build("HEAD", "/head", stack.ttf.host))
            response = connection.read_response("HEAD")
            assert response.status == 200
            assert response.header("content-length") == "1234"
            assert response.header("x-mark") == "1"
        connection.send(http_raw.build("GET", "/head", stack.ttf.host))
        assert len(connection.read_response().body) == 1234


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body(stack, status):
    stack.service.answer("/none", status=status, headers=[("ETag", '"v1"')])
    with stack.connect() as connection:
        for _ in range(3):
            connection.send(http_raw.build("GET", "/none", stack.ttf.host))
            response = connection.read_response()
            assert response.status == status
            assert response.header("etag") == '"v1"'
            assert response.header("transfer-encoding") is None
            if status == 204:
                assert response.header("content-length") is None
        connection.send(http_raw.build("GET", "/next", stack.ttf.host))
        assert connection.read_response().status == 200


def test_304_keeps_the_length_it_speaks_of(stack):
    stack.service.answer("/none", raw=b"HTTP/1.1 304 Not Modified\r\nContent-Length: 777\r\nETag: x\r\n\r\n")
    with stack.connect() as connection:
        connection.send(http_raw.build("GET", "/none", stack.ttf.host))
        response = connection.read_response()
        assert (response.status, response.header("content-length")) in [(304, "777"), (304, None)]
        connection.send(http_raw.build("GET", "/next", stack.ttf.host))
        assert connection.read_response().status == 200


@pytest.mark.parametrize("status", [200, 201, 203, 226, 299, 300, 301, 302, 307, 308, 400, 401, 404, 405, 418, 429, 451, 499, 500, 502, 503, 504, 511, 599])
def test_status_of_the_service_passes(stack, status):
    stack.service.answer("/status", status=status, headers=[("Location", "/else"), ("WWW-Authenticate", "Basic")], body="text")
    response = stack.request(target="/status")
    assert (response.status, response.body, response.error) == (status, b"text", None)
    assert response.header("location") == "/else"
    assert response.header("www-authenticate") == "Basic"


def test_gzip_is_left_alone(stack):
    data = gzip.compress(b"hello " * 1000)
    stack.service.answer("/gzip", headers=[("Content-Encoding", "gzip"), ("Content-Type", "text/html"), ("Vary", "*")], body=data)
    response = stack.request(target="/gzip", headers=[("Accept-Encoding", "gzip, br;q=0.5")])
    assert response.body == data
    assert response.header("content-encoding") == "gzip"
    assert stack.service.seen("/gzip")[0].all("accept-encoding") == ["gzip, br;q=0.5"]
    # A visitor who asks for no coding: nothing is asked of the service in his name.
    stack.request(target="/gzip")
    assert stack.service.seen("/gzip")[1].header("accept-encoding") is None


def test_redirects_are_not_followed(stack):
    stack.service.answer("/away", status=302, headers=[("Location", f"http://127.0.0.1:{stack.service.port}/secret")])
    assert stack.request(target="/away").status == 302
    assert stack.service.seen("/secret") == []


def test_date_and_server_of_the_service_pass(stack):
    date = "Tue, 15 Nov 1994 08:12:31 GMT"
    stack.service.answer("/date", headers=[("Date", date), ("Server", "mine/1")], body="x")
    response = stack.request(target="/date")
    assert response.all("date") == [date]
    assert response.all("server") == ["mine/1"]


def test_connection_stays_open_for_many_requests(stack):
    with stack.connect() as connection:
        for number in range(50):
            connection.send(http_raw.build("POST", f"/{number}", stack.ttf.host, body=f"body {number}"))
            response = connection.read_response()
            assert response.json()["target"] == f"/{number}"
            assert response.json()["sha256"] == sha256(f"body {number}".encode())


def test_pipelined_requests_are_answered_in_order(stack):
    with stack.connect() as connection:
        connection.send(b"".join(http_raw.build("GET", f"/{n}", stack.ttf.host) for n in range(20)))
        assert [connection.read_response().json()["target"] for _ in range(20)] == [f"/{n}" for n in range(20)]


def test_http_1_0(stack):
    stack.service.answer("/old", body="for the old")
    with stack.connect() as connection:
        connection.send(http_raw.build(target="/old", host=stack.ttf.host, version="HTTP/1.0"))
        response = connection.read_response()
        assert (response.status, response.body) == (200, b"for the old")
        assert connection.is_closed_within(30)


def test_connection_close_is_honoured(stack):
    with stack.connect() as connection:
        connection.send(http_raw.build(host=stack.ttf.host, headers=[("Connection", "close")]))
        response = connection.read_response()
        assert response.status == 200
        assert (response.header("connection") or "").lower() == "close"
        assert connection.is_closed_within(30)


def test_expect_100_continue(stack, protocol):
    with stack.connect() as connection:
        connection.send(http_raw.build("POST", "/expect", stack.ttf.host, [("Content-Length", "5"), ("Expect", "100-continue")]))
        interim = connection.read_response()
        assert interim.status == 100, interim
        connection.send(b"hello")
        response = connection.read_response()
        assert response.status == 200
        assert response.json()["sha256"] == sha256(b"hello")
    assert stack.service.seen("/expect")[0].header("expect") == (None if protocol == "v1" else "100-continue")


def test_expect_with_a_body_that_comes_at_once(stack):
    response = stack.request("POST", "/expect", headers=[("Expect", "100-Continue")], body=b"hello")
    assert response.status == 200
    assert response.json()["length"] == 5


@pytest.mark.protocols("v1")
def test_expect_with_a_body_too_large_gets_no_100(stack):
    with stack.connect() as connection:
        connection.send(
            http_raw.build("POST", "/x", stack.ttf.host, [("Content-Length", str(3 * MIB)), ("Expect", "100-continue")])
        )
        assert connection.read_response().status == 413


def test_unknown_expectation(stack):
    response = stack.request("POST", "/x", headers=[("Expect", "miracles")], body=b"x")
    assert (response.status, response.error) == (417, "expectation_failed")
    assert stack.service.seen() == []


@pytest.mark.protocols("v1")
def test_a_handshake_is_a_plain_request(stack):
    """The service, not the gateway, says what it makes of it."""
    stack.service.answer("/ws", status=426, headers=[("X-Of", "service")], body="no")
    headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    response = stack.request(target="/ws", headers=headers)
    assert (response.status, response.error, response.header("x-of"), response.body) == (426, None, "service", b"no")
    assert stack.service.seen("/ws")[-1].header("upgrade") is None and stack.service.seen("/ws")[-1].header("connection") in (None, "keep-alive")


def test_slow_sender(stack):
    """Byte by byte: the request is complete only with its last one."""
    data = http_raw.build("POST", "/drip", stack.ttf.host, body=b"drop by drop")
    with stack.connect() as connection:
        for byte in data:
            connection.send(bytes([byte]))
        assert connection.read_response().json()["sha256"] == sha256(b"drop by drop")


# On AWS each is a process, its answer another, and all of it has API Gateway's 30 s, however busy the machine is.
IN_FLIGHT = 50 if backends.STACK == "aws" else 200


def test_many_in_flight_each_with_its_own_answer(stack):
    """All are at the service at once before the first is answered."""
    gate = stack.service.on("/flight", Gate(lambda r: Response(body=r.target + " " + r.body.decode())))
    results = {}

    def visit(number):
        try:
            results[number] = stack.request("POST", f"/flight?{number}", body=f"body of {number}", timeout=60)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    gate.wait_arrived(IN_FLIGHT)
    gate.open()
    for thread in threads:
        thread.join(90)

    def is_right(number):
        result, body = results.get(number), f"/flight?{number} body of {number}"
        return isinstance(result, http_raw.Response) and (result.status, result.body) == (200, body.encode())

    wrong = {n: results.get(n) for n in range(IN_FLIGHT) if not is_right(n)}
    assert not wrong, f"{len(wrong)} of {IN_FLIGHT} are wrong: {wrong}"


def test_ipv6(fresh):
    import socket

    if not socket.has_ipv6:
        return
    stack = fresh(ports=("loopback:0", "loopback:0", "loopback:0"))
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        response = http_raw.request((address, stack.gateway.address[1]), host=stack.ttf.host)
        assert response.status == 200, (family, response)


def test_names_of_fields_are_in_their_usual_capitals(stack):
    """Some devices compare names byte by byte; the links carry them in lower case."""
    names = ["X-My-Header", "ETag", "WWW-Authenticate", "Content-Type"]
    stack.service.answer("/names", headers=[(name, '"1"') for name in names], body="ok")
    response = stack.request(target="/names", headers=[("x-mY-heaDER", "Value As Is"), ("DNT", "1"), ("If-None-Match", "1")])
    assert not set(names) - {name for name, _ in response.headers}, response.headers
    seen = stack.service.seen("/names")[-1]
    assert not {"Host", "X-Forwarded-For", "X-My-Header", "DNT", "If-None-Match"} - set(seen.names), seen.names
    assert ("x-my-header", "Value As Is") in seen.headers
