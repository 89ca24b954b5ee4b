"""Path mode: an application written for / works under /<id>/, because what leads to it is brought under that prefix."""

import base64
import ctypes
import gzip
import subprocess
import threading
import time
import zlib

import pytest

import backends
import http_raw
from programs import BIN
from service import Response

pytestmark = pytest.mark.protocols("v1", "v2")

PAGE = """<!doctype html>
<html><head><title>/x</title><link rel=stylesheet href="/style.css" integrity="sha256-x"></head>
<body><a href="/a?b=1&amp;c=2">a</a><a href="b">b</a><a href="https://other.example/c">c</a><img srcset="/d 1x, /e 2x">
<form action=/f></form><script type=module>import "/g.js"; fetch("/h")</script></body></html>
"""
HTML = ("Content-Type", "text/html; charset=utf-8")
BROWSER = [("Sec-Fetch-Dest", "document")]


def answer(stack, response, path="/page", method="GET", headers=(), subdomain=False):
    """What a visitor gets of it, in path mode."""
    stack.service.on(path, lambda request: response)
    if subdomain:
        return stack.request(method, path, headers=list(headers))
    return stack.request(method, f"/{stack.ttf.tunnel_id}{path}", host=origin(stack), headers=list(headers))


def origin(stack):
    return f"localhost:{stack.gateway.address[1]}"


def prefixed(stack, text):
    return text.replace("~", f"/{stack.ttf.tunnel_id}")


def test_a_page(stack):
    got = answer(stack, Response(headers=[HTML, ("ETag", '"v1"'), ("Accept-Ranges", "bytes")], body=PAGE), headers=BROWSER)
    text = got.body.decode()
    for part in ['href="~/style.css">', 'href="~/a?b=1&amp;c=2"', 'href="b"', "https://other.example/c", 'srcset="~/d 1x, ~/e 2x"',
                 "action=~/f>", 'import "~/g.js"', 'fetch("/h")', "<title>/x</title>"]:  # fmt: skip
        assert prefixed(stack, part) in text, (part, text)
    assert "integrity" not in text
    assert text.index("<head><script data-tunnel-id=") < text.index("__TUNNEL_CONTEXT__") < text.index("<title>")
    assert got.header("x-tunnel-rewrite-applied") == "true" and got.header("x-tunnel-rewrite") is None
    assert got.header("etag") == 'W/"v1"' and got.header("accept-ranges") is None
    assert got.header("content-length") in (None, str(len(got.body)))


def test_the_same_page_of_a_subdomain_is_the_services_own(stack):
    got = answer(stack, Response(headers=[HTML, ("ETag", '"v1"'), ("Accept-Ranges", "bytes"), ("Location", "/x")], body=PAGE),
                 subdomain=True, headers=BROWSER)  # fmt: skip
    assert got.body.decode() == PAGE
    assert (got.header("etag"), got.header("accept-ranges"), got.header("location")) == ('"v1"', "bytes", "/x")
    assert got.header("x-tunnel-rewrite-applied") is None


@pytest.mark.parametrize(
    "kind, body, expected",
    [
        ("text/css", "a { background: url(/x.png) } @import '/y.css';", "a { background: url(~/x.png) } @import '~/y.css';"),
        ("text/javascript", "import a from '/a.js'; fetch('/b')", "import a from '~/a.js'; fetch('/b')"),
        ("application/manifest+json", '{"start_url":"/","icons":[{"src":"/i"}]}', '{"start_url":"~/","icons":[{"src":"~/i"}]}'),
        ("application/json", '{"openapi":"3","servers":[{"url":"/"}]}', '{"openapi":"3","servers":[{"url":"~"}]}'),
        ("application/json", '{"a":"/api/x"}', '{"a":"/api/x"}'),
        ("application/xml", "<D:href>/x</D:href><a>/y</a>", "<D:href>~/x</D:href><a>/y</a>"),
        ("application/atom+xml; charset=utf-8", "<href>/x</href>", "<href>~/x</href>"),
        ("text/plain", "href=/x", "href=/x"),
        ("text/html; charset=utf-16le", "<a href=/x>", "<a href=/x>"),
    ],
)
def test_other_texts(stack, kind, body, expected):
    assert answer(stack, Response(headers=[("Content-Type", kind)], body=body)).body.decode() == prefixed(stack, expected)


def test_the_services_own_address(stack):
    """It knows itself by another name, which leads the visitor nowhere."""
    own = f"http://localhost:{stack.service.port}"
    got = answer(stack, Response(headers=[("Content-Type", "text/css"), ("Location", f"{own}/y")], body=f"url({own}/x)"))
    scheme = "https" if backends.STACK == "aws" else "http"
    assert got.body.decode() == prefixed(stack, f"url({scheme}://{origin(stack)}~/x)")
    assert got.header("location") == prefixed(stack, f"{scheme}://{origin(stack)}~/y")
    assert got.header("x-tunnel-service") is None
    got = answer(stack, Response(headers=[("Content-Type", "text/css")], body=f"url({own}/x)"), subdomain=True)
    assert got.body.decode() == f"url({own}/x)" and got.header("x-tunnel-service") is None


def test_what_the_service_says_of_it(stack):
    body = '{"a":"/api/x"}'
    asked = Response(headers=[("Content-Type", "application/json"), ("X-Tunnel-Rewrite", "json")], body=body)
    assert answer(stack, asked).body.decode() == prefixed(stack, '{"a":"~/api/x"}')
    off = answer(stack, Response(headers=[HTML, ("X-Tunnel-Rewrite", "off"), ("Location", "/y")], body=PAGE))
    assert off.body.decode() == PAGE and off.header("location") == prefixed(stack, "~/y")
    assert off.header("x-tunnel-rewrite") is None and off.header("x-tunnel-rewrite-applied") is None


@pytest.mark.parametrize("status", [204, 206, 304])
def test_answers_that_pass_as_they_are(stack, status):
    got = answer(stack, Response(status, headers=[("Content-Type", "text/css"), ("ETag", '"v1"')], body="" if status != 206 else "url(/x)"))
    assert got.body == (b"" if status != 206 else b"url(/x)")
    assert got.header("etag") == '"v1"' and got.header("x-tunnel-rewrite-applied") is None


def test_head_tells_what_get_would(stack):
    got = answer(stack, Response(headers=[HTML, ("ETag", '"v1"')], body=PAGE), method="HEAD")
    assert (got.header("etag"), got.header("x-tunnel-rewrite-applied")) == ('W/"v1"', "true")
    assert got.header("content-length") in (None, "0") and got.body == b""


def test_fields(stack):
    got = answer(stack, Response(302, headers=[
        ("Location", "/x?y"), ("Link", "</s.css>; rel=preload"), ("Set-Cookie", "a=b; Path=/; HttpOnly"), ("Refresh", "1; url=/z"),
        ("Set-Cookie", "c=d; Path=/sub"), ("Content-Location", "/w")]))  # fmt: skip
    assert got.header("location") == prefixed(stack, "~/x?y")
    assert got.header("link") == prefixed(stack, "<~/s.css>; rel=preload")
    assert got.header("refresh") == prefixed(stack, "1; url=~/z")
    assert got.header("content-location") == prefixed(stack, "~/w")
    cookies = sorted(value for name, value in got.headers if name.lower() == "set-cookie")
    assert cookies == sorted([prefixed(stack, "a=b; Path=~/; HttpOnly"), prefixed(stack, "c=d; Path=~/sub")])


# what rules over the whole origin
ORIGIN_WIDE = [("Clear-Site-Data", '"*"'), ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"), ("Alt-Svc", 'h3=":9"'),
               ("NEL", '{"report_to":"a","max_age":9}'), ("Report-To", '{"group":"a"}'), ("Origin-Agent-Cluster", "?1")]  # fmt: skip


@pytest.mark.parametrize("body", [PAGE, ""])
def test_a_tunnel_does_not_rule_over_others(stack, body):
    response = Response(headers=[HTML, *ORIGIN_WIDE], body=body)
    got, own = answer(stack, response), answer(stack, response, subdomain=True)
    for name, value in ORIGIN_WIDE:
        assert got.header(name.lower()) is None and own.header(name.lower()) == value, name


def test_fields_of_requests_are_turned_back(stack):
    here = f"http://{origin(stack)}/{stack.ttf.tunnel_id}"
    stack.request(target=f"/{stack.ttf.tunnel_id}/x", host=origin(stack), headers=[
        ("Referer", f"{here}/a?b"), ("Accept-Encoding", "compress, gzip"), ("If-None-Match", 'W/"a"'),
        ("Cookie", "__Secure-ttf-host-id=1")])  # fmt: skip
    seen = dict(stack.service.seen()[-1].headers)
    assert seen["referer"] == f"http://{origin(stack)}/a?b"
    assert seen["accept-encoding"].strip() == "gzip"
    assert seen["if-none-match"] == 'W/"a", "a"'
    assert seen["cookie"] == "__Host-id=1"
    assert seen["x-forwarded-prefix"] == f"/{stack.ttf.tunnel_id}"


def test_a_long_page(stack, protocol):
    """All of it comes, changed everywhere, whatever the windows are."""
    row = b'<a href="/x">x</a>\n'
    count = 60000 if protocol == "v2" else 20000
    got = answer(stack, Response(headers=[HTML], body=row * count), headers=[("Sec-Fetch-Dest", "empty")])
    assert got.body == prefixed(stack, '<a href="~/x">x</a>\n').encode() * count


@pytest.mark.protocols("v2")
def test_a_page_that_is_cut_is_cut(stack):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 Fine\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<a href=/x>")

    stack.service.stream("/page", handler)
    with stack.connect() as connection:
        connection.send(http_raw.build("GET", f"/{stack.ttf.tunnel_id}/page", origin(stack)))
        try:
            got = connection.read_response("GET")
        except (http_raw.Cut, ConnectionError):
            return
    assert (got.status, got.error) == (502, "bad_response"), got  # the cut has overtaken the head between two gateways


GZIP, BR = gzip.compress(b'<a href="/x">x</a>\n' * 500, mtime=0), base64.b64decode("Gxsl+I3TBfMreVpT+oThtYLIC48C5rcSoQ0+zAGwvgA=")
PART = [("Sec-Fetch-Dest", "empty")]


def unbrotli(body):
    room = ctypes.c_size_t(1 << 20)
    out = ctypes.create_string_buffer(room.value)
    assert ctypes.CDLL("libbrotlidec.so.1").BrotliDecoderDecompress(ctypes.c_size_t(len(body)), body, ctypes.byref(room), out) == 1
    return out.raw[: room.value]


def unzstd(body):
    return subprocess.run(["zstd", "-dc"], input=body, capture_output=True, check=True).stdout


def plain(coding, body):
    return {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": unbrotli, "zstd": unzstd, None: bytes}[coding](body)


@pytest.mark.parametrize(
    "coding, body, accepted, got",
    [
        ("gzip", GZIP, "gzip, br", "gzip"),
        ("gzip", GZIP, "identity", None),
        ("gzip", GZIP, None, None),
        ("deflate", zlib.compress(gzip.decompress(GZIP)), "deflate", "deflate"),
        ("deflate", zlib.compress(gzip.decompress(GZIP))[2:-4], "deflate;q=0, gzip;q=0.1", "gzip"),
        ("br", BR, "gzip, br", "br"),
        ("br", BR, "br;q=0, gzip", "gzip"),
        ("zstd", None, "gzip, zstd", "zstd"),
        ("zstd", None, "br", "br"),
    ],
)
def test_encoded_pages(stack, coding, body, accepted, got):
    body = body or subprocess.run(["zstd", "-c"], input=gzip.decompress(GZIP), capture_output=True, check=True).stdout
    response = answer(stack, Response(headers=[HTML, ("Content-Encoding", coding)], body=body),
                      headers=PART + ([("Accept-Encoding", accepted)] if accepted else []))  # fmt: skip
    assert (response.status, response.header("content-encoding")) == (200, got)
    assert plain(got, response.body) == prefixed(stack, '<a href="~/x">x</a>\n').encode() * 500
    assert response.header("vary").lower().startswith("accept-encoding")


def test_an_encoded_page_of_a_subdomain_is_the_services_own(stack):
    response = answer(stack, Response(headers=[HTML, ("Content-Encoding", "gzip")], body=GZIP), subdomain=True)
    assert (response.body, response.header("content-encoding"), response.header("vary")) == (GZIP, "gzip", None)


@pytest.mark.parametrize("body", [GZIP[:-20], GZIP[:3], b"<p>never encoded</p>", GZIP[:40] + b"\xff" * 40])
def test_what_is_no_gzip_is_cut(stack, body):
    response = Response(headers=[HTML, ("Content-Encoding", "gzip")], body=body)
    try:
        got = answer(stack, response, headers=PART)
    except (http_raw.Cut, ConnectionError):
        return
    assert got.status >= 500, got


@pytest.mark.parametrize("coding", ["compress", "gzip, br"])
def test_codings_that_nobody_here_knows_pass(stack, coding):
    response = answer(stack, Response(headers=[HTML, ("Content-Encoding", coding)], body=b"<a href=/x>"))
    assert (response.body, response.header("content-encoding")) == (b"<a href=/x>", coding)


@pytest.mark.protocols("v2")
def test_a_page_in_pieces_comes_in_pieces(stack):
    """What is encoded waits for no more than the service does."""
    seen = threading.Event()

    def handler(exchange):
        encoder = zlib.compressobj(wbits=31)
        exchange.head(200, HTML, ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked"))
        exchange.chunk(encoder.compress(b"<a href=/x>") + encoder.flush(zlib.Z_SYNC_FLUSH))
        assert seen.wait(30)
        exchange.chunk(encoder.compress(b"<a href=/y>") + encoder.flush())
        exchange.end()

    stack.service.stream("/page", handler)
    decoder = zlib.decompressobj(wbits=31)
    with stack.connect() as connection:
        connection.send(http_raw.build("GET", f"/{stack.ttf.tunnel_id}/page", origin(stack), [*PART, ("Accept-Encoding", "gzip")]))
        raw = text = b""
        while b"<a" not in text:
            raw += connection.socket.recv(65536)
            text = decoder.copy().decompress(raw.partition(b"\r\n\r\n")[2].partition(b"\r\n")[2])
        assert text == prefixed(stack, "<a href=~/x>").encode()
        seen.set()


@pytest.mark.protocols("v2")
@pytest.mark.parametrize("begins", [b"", b"<a href='/x", b"<a ", b"<!--", b"<style>a{b:url(/"], ids=["text", "value", "name", "comment", "style"])
def test_a_bomb_is_passed_on_in_constant_memory(fresh, begins):
    """Also one that is a single endless token."""
    stack = fresh()
    size = (64 if begins else 256) << 20
    encoder = zlib.compressobj(9, wbits=31)
    filler = (b"\0" if not begins else b"x") * (1 << 20)
    bomb = encoder.compress(begins) + b"".join(encoder.compress(filler) for _ in range(size >> 20)) + encoder.flush()
    before = stack.gateway.rss_kib()
    stack.service.on("/page", lambda request: Response(headers=[HTML, ("Content-Encoding", "gzip")], body=bomb))
    got = stack.request("GET", f"/{stack.ttf.tunnel_id}/page", host=origin(stack), headers=[*PART, ("Accept-Encoding", "gzip")], timeout=120)
    decoder, length = zlib.decompressobj(wbits=31), 0
    piece = decoder.decompress(got.body, 1 << 20)
    while piece:
        length += len(piece)
        piece = decoder.decompress(decoder.unconsumed_tail, 1 << 20)
    prefix = len(prefixed(stack, "~")) if b"/" in begins else 0
    assert length == len(begins) + prefix + size
    assert stack.gateway.rss_kib() - before < 32 * 1024


# 256 MiB of zeros in br, with a window of 16 MiB
BR_BOMB = base64.b64decode(
    b"z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n////wBIAMRhAeje//P//x8ACYA4LADd+3/+"
    b"//8DIAEQhwWge//P//9/ACQA4rAAdO//+f//D4AEQBwWgO79P////wGQAIjDAtC9/+f//z8AEgBxWAC69//8//8HQAIgDgtA9/6f////AEgAxGEB6N7/8///"
    b"HwAJgDgsAN37//z//wcgARCHBaB7/w8="
)


@pytest.mark.skipif(backends.STACK == "aws", reason="an invocation has one answer")
@pytest.mark.protocols("v2")
def test_a_greedy_tunnel_leaves_memory_for_others(fresh, start):
    """Visitors who read nothing of twelve answers, of which each takes a window of 16 MiB: the other tunnel's are whole."""
    stack = fresh()
    stack.service.on("/page", lambda request: Response(headers=[HTML, ("Content-Encoding", "br")], body=BR))
    greedy = start.service()
    greedy.on("/bomb", lambda request: Response(headers=[HTML, ("Content-Encoding", "br")], body=BR_BOMB))
    other = start.forwarder(stack.gateway, greedy)
    bombs = [stack.connect() for _ in range(12)]
    heads = []
    try:
        for bomb in bombs:
            bomb.send(http_raw.build("GET", f"/{other.tunnel_id}/bomb", origin(stack), [*PART, ("Accept-Encoding", "identity")]))
            heads.append(bomb.socket.recv(64))
        assert heads[0].startswith(b"HTTP/1.1 200 ")
        got = stack.request("GET", f"/{stack.ttf.tunnel_id}/page", host=origin(stack), headers=[*PART, ("Accept-Encoding", "br")])
        assert (got.status, got.header("content-encoding")) == (200, "br")
        assert unbrotli(got.body) == prefixed(stack, '<a href="~/x">x</a>\n').encode() * 500
    finally:
        for bomb in bombs:
            bomb.close()


@pytest.mark.parametrize("wish", ["on", "off", "json"])
def test_what_ttf_says_of_it(fresh, wish):
    """Where the service says nothing; and no visitor hears of it."""
    stack = fresh(ttf_options=("--rewrite", wish))
    text, page = '{"a":"/api/x"}', "<a href=/x>"
    got = answer(stack, Response(headers=[("Content-Type", "application/json")], body=text))
    assert got.body.decode() == prefixed(stack, '{"a":"~/api/x"}' if wish == "json" else text)
    got = answer(stack, Response(headers=[HTML], body=page))
    assert got.body.decode().endswith(page if wish == "off" else prefixed(stack, "<a href=~/x>"))
    assert got.header("x-tunnel-rewrite") is None
    own = Response(headers=[("Content-Type", "application/json"), ("X-Tunnel-Rewrite", "json")], body=text)
    assert answer(stack, own).body.decode() == prefixed(stack, '{"a":"~/api/x"}')
    got = answer(stack, Response(headers=[HTML], body=page), subdomain=True)
    assert got.body.decode() == page and got.header("x-tunnel-rewrite") is None


def test_what_ttf_cannot_say(start, tmp_path):
    ttf = start.program(BIN / "ttf", "--rewrite", "xml", env={"HOME": str(tmp_path)}, expect_killed=True)
    assert ttf.wait_exit() != 0
    assert any("on, off or json" in line for line in ttf.err)


@pytest.mark.parametrize("said, told", [(None, None), ("no-referrer", "no-referrer"), ("origin, same-origin", "same-origin"), ('x" onload="y', None)])
def test_a_page_keeps_its_referrer_policy(stack, said, told):
    """Its script changes it while routers look where they are, and must know what it was."""
    fields = [("Referrer-Policy", said)] if said else []
    got = answer(stack, Response(headers=[HTML, *fields], body=PAGE), headers=BROWSER)
    assert got.header("referrer-policy") == said
    script = got.body.decode().partition("<script ")[2].partition(">")[0]
    assert ("data-referrer-policy" in script) == bool(told)
    assert not told or f' data-referrer-policy="{told}"' in script


@pytest.mark.skipif(backends.STACK != "aws", reason="Lambda's own bound")
def test_what_becomes_more_than_lambda_takes_ends_at_once(stack):
    bomb = gzip.compress(bytes(256 << 20), 9)
    start = time.monotonic()
    got = answer(stack, Response(headers=[HTML, ("Content-Encoding", "gzip")], body=bomb), headers=PART)
    assert got.status == 502 or got.status == 500, got
    assert time.monotonic() - start < 25


@pytest.mark.parametrize("length", [60_000, 65_536, 130_000])
def test_a_cookie_of_64_kib_is_changed_or_refused(stack, length):
    got = answer(stack, Response(headers=[("Set-Cookie", "a=" + "b" * length + "; Path=/")]))
    if got.status == 200:
        assert got.header("set-cookie") == prefixed(stack, "a=" + "b" * length + "; Path=~/")
    else:
        assert got.status in (502, 503), got


def test_long_fields_are_changed_or_refused(stack):
    """A field may grow more than there is room for; nobody gets half of it."""
    got = answer(stack, Response(headers=[("Set-Cookie", "a=" + "b" * 8000 + "; Path=/")]))
    assert got.header("set-cookie") == prefixed(stack, "a=" + "b" * 8000 + "; Path=~/")
    links = ",".join(["</>"] * 2000)
    got = answer(stack, Response(headers=[("Link", links)] * 3))
    if got.status == 200:
        came = ",".join(value for name, value in got.headers if name.lower() == "link").replace(" ", "")  # API Gateway joins them
        assert came == ",".join([prefixed(stack, "<~/>")] * 6000)
    else:
        assert got.status in (502, 503), got


@pytest.mark.parametrize(
    "body",
    [b"<" * 500000, b"\0\xff<a\0href=/x>" * 1000, b"<!--" + b"-" * 500000, b"<script>" + b"</scrip" * 100000, b"<a " + b"b='" * 500000],
    ids=["angles", "binary", "comment", "script", "quotes"],
)  # fmt: skip
def test_broken_markup_passes_as_it_is(stack, body):
    assert answer(stack, Response(headers=[HTML], body=body), headers=PART).body == body


@pytest.mark.parametrize(
    "body",
    [b"<a " + b"b=c " * 20000 + b"href=~/x>", b"<a href=~/x" + b"y" * 3_000_000 + b">", b"<a href='~/x" + b"/x " * 300000],
    ids=["attributes", "tag", "quote"],
)
def test_tags_of_any_length_are_changed(stack, body, protocol):
    body = body if protocol == "v2" else body[:1_500_000]
    expected = prefixed(stack, body.decode()).encode()
    assert answer(stack, Response(headers=[HTML], body=body.replace(b"~", b"")), headers=PART).body == expected
