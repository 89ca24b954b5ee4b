"""Requests that two readers might read as two different things, made by combination. Each row has an id of its own, in the
field X-Row and in what it tries to smuggle, and says what may become of it:

    REFUSED   the service sees nothing, the visitor gets an error or a close
    PASSED    the service sees one request with that body
    EITHER    one of these: where the RFC leaves the choice
    CUT       the visitor leaves within it: the service sees nothing that is whole
    FOREIGN   clear, but for another host: the service sees nothing
"""

REFUSED, PASSED, EITHER, CUT, FOREIGN = "refused", "passed", "either", "cut", "foreign"

HOST, ROW_FIELD = b"Host: %HOST%", b"X-Row: %ROW%"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: %HOST%\r\nX-Row: smuggled-%ROW%\r\n\r\n"
ZERO = b"0\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"


class Row:
    def __init__(self, name, data, verdict, body=b""):
        self.name, self.data, self.verdict, self.body = name, data, verdict, body


def request(*lines, first=b"GET /row HTTP/1.1", host=HOST, behind=b""):
    return b"\r\n".join([first, *([host] if host else []), ROW_FIELD, *lines]) + b"\r\n\r\n" + behind


def post(*lines, body=b"", **more):
    return request(*lines, first=more.pop("first", b"POST /row HTTP/1.1"), behind=body, **more)


def length_of(body):
    return b"Content-Length: %d" % len(body)


def name_of(*parts):
    return " · ".join(repr(part)[1:].strip("'\"")[:60] if isinstance(part, bytes) else str(part) for part in parts)


# ---- framing ----

# A length that is none. The body behind it holds a request.
BAD_LENGTHS = [b"", b" ", b"+5", b"-5", b"--5", b"5 5", b"5\t5", b"5,6", b"5, 6", b"5,", b",5", b"5;", b"5;q=1", b"0x5", b"0b101", b"0o5", b"5.0",
               b".5", b"5.", b"5e0", b"1e1", b"five", b"5_0", b"5a", b"a5", b"'5'", b'"5"', b"[5]", b"\x0b5", b"5\x0b", b"5\x0c", b"\x005", b"5\x00",
               b"5\x85", b"\xa05", b"5\xa0", b"\xc2\xa05", b"\xef\xbc\x95", b"\xd9\xa5", b"5\x7f", b"NaN", b"inf", b"null", b"true", b"%35", b"\\5",
               b"9223372036854775808", b"18446744073709551615", b"18446744073709551616", b"18446744073709551621", b"99999999999999999999",
               b"1" + b"0" * 40, b"4294967296" * 3, b"chunked"]  # fmt: skip
GOOD_LENGTHS = [b"%d", b"0%d", b"000%d", b" %d", b"%d ", b"\t%d\t", b"  \t %d \t"]
BAD_CODINGS = [b"", b" ", b"xchunked", b"chunkedx", b"chunked1", b"chunked,", b",chunked", b", chunked", b"chunked, ", b"chunked,chunked",
               b"chunked, chunked", b"chunked, identity", b"identity, chunked", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip",
               b"deflate,chunked", b"chunked;q=1", b"chunked; q=0", b'"chunked"', b"'chunked'", b"[chunked]", b"(chunked)", b"chunked\x0b",
               b"\x0bchunked", b"chunked\x0c", b"\x0cchunked", b"chunked\x00", b"\x00chunked", b"chunked\x7f", b"ch unked", b"ch\tunked", b"chunk",
               b"chunke", b"cow", b"cow, chunked", b"chunked cow", b"chunked chunked", b"chunked\xa0", b"\xa0chunked", b"\xc2\xa0chunked",
               b"chunked\x85", b"chun\xe2\x84\xaaed", b"\xef\xbb\xbfchunked", b"trailers", b"chunked/1.1", b"=chunked", b"chunked=", b"%63hunked",
               b"\\chunked", b"chunked\\", b"compress", b"x-gzip", b"null", b"5"]  # fmt: skip
# What is not the field, though a careless reader takes it for it: a blank before the colon is refused, another name is another field.
BROKEN_NAMES = [b"%s ", b"%s\t", b" %s", b"\t%s", b"%s\x0b", b"%s\x00", b"\x00%s", b"%s\r", b"\r%s", b"%s\xa0", b"\xa0%s", b"%s\x85", b"\xef\xbb\xbf%s",
                b'"%s"', b"(%s)", b"%s:", b"%s\r\n ", b"%s\r\n", b"%s;", b"%s,", b"%s/", b"%s=", b"\x7f%s", b"[%s]", b"@%s", b"\\%s"]  # fmt: skip
OTHER_NAMES = [b"X-%s", b"%s-X", b"%ss", b"'%s'", b"*%s", b".%s", b"%s.", b"-%s", b"%s-", b"~%s", b"`%s`", b"$%s"]


def lengths():
    for value in BAD_LENGTHS:
        yield Row(name_of("length", value), post(b"Content-Length:" + value, body=SMUGGLED), REFUSED)
        yield Row(name_of("length and chunks", value), post(b"Content-Length:" + value, CHUNKED, body=ZERO + SMUGGLED), REFUSED)
    for form in GOOD_LENGTHS:
        value = form.replace(b"%d", b"%LEN%")
        yield Row(name_of("length", form), post(b"Content-Length:" + value, body=SMUGGLED), PASSED, SMUGGLED)
    for case in (b"content-length", b"CONTENT-LENGTH", b"cOnTeNt-LeNgTh"):
        yield Row(name_of("length", case), post(case + b": %LEN%", body=SMUGGLED), PASSED, SMUGGLED)


def pairs_of_lengths():
    """Each beside each, next to each other and apart."""
    values = [b"0", b"5", b"05", b"+5", b"5,5", b"%LEN%", b""]
    for one in values:
        for two in values:
            verdict = EITHER if one == two == b"%LEN%" else REFUSED
            a, b = b"Content-Length: " + one, b"content-length: " + two
            yield Row(name_of("two lengths", one, two), post(a, b, body=SMUGGLED), verdict, SMUGGLED)
            yield Row(name_of("two lengths apart", one, two), post(a, b"X-A: 1", b"X-B: 2", b, body=SMUGGLED), verdict, SMUGGLED)


def codings():
    for value in BAD_CODINGS:
        field = b"Transfer-Encoding:" + value
        yield Row(name_of("coding", value), post(field, body=ZERO + SMUGGLED), REFUSED)
        yield Row(name_of("coding, length", value), post(field, b"Content-Length: %LEN%", body=ZERO + SMUGGLED), REFUSED)
        yield Row(name_of("coding, chunked", value), post(field, CHUNKED, body=ZERO + SMUGGLED), REFUSED)
    for value in (b"chunked", b" chunked", b"  chunked", b"\tchunked", b"chunked ", b"chunked\t", b"CHUNKED", b"Chunked", b"cHuNkEd"):
        field, behind = b"Transfer-Encoding:" + value, b"5\r\nhello\r\n" + ZERO
        plain = value.strip() == value or value == b" chunked"
        yield Row(name_of("coding", value), post(field, body=behind), PASSED if plain else EITHER, b"hello")
        yield Row(name_of("coding and length", value), post(field, b"Content-Length: 5", body=behind + SMUGGLED), REFUSED)
        yield Row(name_of("length and coding", value), post(b"Content-Length: 5", field, body=behind + SMUGGLED), REFUSED)
        old = b"POST /row HTTP/1.0"
        yield Row(name_of("coding in 1.0", value), post(field, body=behind + SMUGGLED, first=old), REFUSED)
        kept = post(field, b"Connection: keep-alive", body=behind + SMUGGLED, first=old)
        yield Row(name_of("coding in 1.0, kept", value), kept, REFUSED)


def names():
    """A field that is nearly one of framing, beside one that is."""
    for form in BROKEN_NAMES:
        length, coding = form.replace(b"%s", b"Content-Length"), form.replace(b"%s", b"Transfer-Encoding")
        yield Row(name_of("broken length", form), post(length + b": %LEN%", body=SMUGGLED), REFUSED)
        yield Row(name_of("broken length, chunks", form), post(length + b": 5", CHUNKED, body=ZERO + SMUGGLED), REFUSED)
        yield Row(name_of("broken coding", form), post(coding + b": chunked", body=ZERO + SMUGGLED), REFUSED)
        yield Row(name_of("broken coding, length", form), post(coding + b": chunked", b"Content-Length: %LEN%", body=SMUGGLED), REFUSED)
    for form in [*OTHER_NAMES, b"Content_Length", b"Transfer_Encoding"]:
        length, coding = form.replace(b"%s", b"Content-Length"), form.replace(b"%s", b"Transfer-Encoding")
        yield Row(name_of("other than length", form), post(length + b": 5", CHUNKED, body=b"5\r\nhello\r\n" + ZERO), EITHER, b"hello")
        yield Row(name_of("other than coding", form), post(coding + b": chunked", b"Content-Length: %LEN%", body=SMUGGLED), EITHER, SMUGGLED)
    for nominated in (b"Content-Length", b"close, content-length", b"Transfer-Encoding", b"Host", b"X-A, Host, content-length", b",,,", b"close,,x"):
        framed = post(b"Connection: " + nominated, b"Content-Length: %LEN%", body=SMUGGLED)
        yield Row(name_of("nominated beside a length", nominated), framed, EITHER, SMUGGLED)
        framed = post(b"Connection: " + nominated, CHUNKED, body=b"5\r\nhello\r\n" + ZERO)
        yield Row(name_of("nominated beside chunks", nominated), framed, EITHER, b"hello")


def hidden_fields():
    """A second field that hides behind the end of another's line."""
    for end in (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\x00", b"\x00\r\n", b"\r\n ", b"\r\n\t", b"\x0b", b"\x0c", b"\x1c", b"\x1e"):
        for hidden in (CHUNKED, b"Content-Length: 5", HOST, b"Connection: close"):
            data = post(b"X: a" + end + hidden, b"Content-Length: %LEN%", body=ZERO + SMUGGLED)
            yield Row(name_of("hidden", end, hidden[:12]), data, REFUSED)


# ---- chunks ----

BAD_SIZES = [b"0x5", b"0X5", b"-5", b"+5", b" 5", b"\t5", b"G", b"5g", b"g5", b"", b" ", b"5,5", b"5_0", b"\xd9\xa5", b"5\x00", b"\x005", b".5", b"5.",
             b"5:", b"5=a", b"'5'", b'"5"', b"5 5", b"5\x0b", b"5\x0c", b"5\xa0", b"5\r", b"-0", b"-1", b"1.1", b"10000000000000005",
             b"fffffffffffffffff0", b"five", b"5\x7f", b"5/", b"#5", b"5h", b"5/a", b"%35"]  # fmt: skip
BAD_EXTENSIONS = [b";a\x00b", b";a\nb", b";a\x7f", b";\x0b", b";a=\x01", b';a="\n"', b";\r;", b";a\rb"]
BAD_DATA_ENDS = [b"\n", b"", b"XX", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\x00\r\n", b"\r\n\r\n", b"X\r\n"]
BAD_LAST = [b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"0\r\r\n\r\n", b"-0\r\n\r\n", b"0x0\r\n\r\n", b"+0\r\n\r\n", b"0\r\n\r\r\n", b"0\x00\r\n\r\n", b"\r\n\r\n",
            b"O\r\n\r\n", b"0\rX\r\n\r\n"]  # fmt: skip
BAD_TRAILERS = [b"A\x00: b", b"A: b\x00", b": b", b"no colon", b" A: b", b"A: b\n", b"A: \rb", b"A : b", b"A\t: b", b"(A): b", b"A: \x01", b"A: b\r\n c"]
FORBIDDEN_TRAILERS = [b"Content-Length: 5", CHUNKED, b"Host: evil.example", b"Connection: close", b"Authorization: x", b"X-Row: other",
                      b"Content-Type: x", b"Trailer: x", b"X-Tunnel-Error: x", b"Cookie: a=b"]  # fmt: skip


def chunked(data, **more):
    return post(CHUNKED, body=data, **more)


def chunks():
    for size in BAD_SIZES:
        yield Row(name_of("chunk size", size), chunked(size + b"\r\nhello\r\n" + ZERO + SMUGGLED), REFUSED)
        yield Row(name_of("second chunk's size", size), chunked(b"3\r\nabc\r\n" + size + b"\r\nhello\r\n" + ZERO + SMUGGLED), REFUSED)
    for extension in BAD_EXTENSIONS:
        yield Row(name_of("extension", extension), chunked(b"5" + extension + b"\r\nhello\r\n" + ZERO + SMUGGLED), REFUSED)
        yield Row(name_of("extension of the last", extension), chunked(b"5\r\nhello\r\n0" + extension + b"\r\n\r\n" + SMUGGLED), REFUSED)
    for end in BAD_DATA_ENDS:
        yield Row(name_of("end of a chunk", end), chunked(b"5\r\nhello" + end + ZERO + SMUGGLED), REFUSED)
    for end in (b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\x00\r\n", b"\r\x00\n", b"\x0b\r\n"):
        yield Row(name_of("end of a size", end), chunked(b"5" + end + b"hello\r\n" + ZERO + SMUGGLED), REFUSED)
    for last in BAD_LAST:
        yield Row(name_of("last chunk", last), chunked(b"5\r\nhello\r\n" + last + SMUGGLED), REFUSED)
    for long in (b"5;" + b"a" * 100_000, b"5" + b";a=b" * 30_000, b"0" * 100_000 + b"5"):
        yield Row(name_of("long size line", long[:9]), chunked(long + b"\r\nhello\r\n" + ZERO), REFUSED)
    for size in (b"5", b"05", b"0000000005", b"5;a", b"5;a=b", b"5;a=b;c=d", b'5;a="b;c"', b'5;a="\\""', b'5;a="b\tc"'):
        yield Row(name_of("good size", size), chunked(size + b"\r\nhello\r\n" + ZERO), PASSED, b"hello")
    for size in (b"5 ", b"5\t", b"5 ;a", b"5;", b"5; a = b", b"0" * 20 + b"5", b'5;a="b', b"5;;", b"5;=", b'5;"'):
        yield Row(name_of("odd size", size), chunked(size + b"\r\nhello\r\n" + ZERO), EITHER, b"hello")
    for upper in (b"A\r\n" + b"x" * 10, b"a\r\n" + b"x" * 10):
        yield Row(name_of("size", upper[:1]), chunked(upper + b"\r\n" + ZERO), PASSED, b"x" * 10)
    for size in (b"ffffffffffffffff", b"8000000000000000", b"7fffffffffffffff", b"1e1"):
        yield Row(name_of("absurd size", size), chunked(size + b"\r\nhello\r\n" + ZERO + SMUGGLED), CUT)
    yield Row("a request in a chunk", chunked(b"%HEX%\r\n" + SMUGGLED + b"\r\n" + ZERO), PASSED, SMUGGLED)
    for i in range(1, 5):
        data = b"".join(b"1\r\n%c\r\n" % c for c in b"hello"[:i])
        yield Row(f"chunks of one byte, {i}", chunked(data + ZERO), PASSED, b"hello"[:i])


def trailers():
    for line in BAD_TRAILERS:
        yield Row(name_of("trailer", line), chunked(b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n" + SMUGGLED), REFUSED)
    for line in FORBIDDEN_TRAILERS:
        yield Row(name_of("trailer", line), chunked(b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n"), EITHER, b"hello")
        framed = post(CHUNKED, b"Trailer: " + line.partition(b":")[0], body=b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n")
        yield Row(name_of("announced trailer", line), framed, EITHER, b"hello")
    for many in (b"A: " + b"b" * 100_000 + b"\r\n", b"A: b\r\n" * 20_000):
        yield Row(name_of("many trailers", many[:5]), chunked(b"5\r\nhello\r\n0\r\n" + many + b"\r\n"), REFUSED)


# ---- the head, byte by byte ----

CONTROLS = [bytes([code]) for code in [*range(32), 127] if code not in (9, 10, 13)]
PLACES = {
    "method": (b"G%sT /row HTTP/1.1", b"X: y"),
    "target": (b"GET /r%sow HTTP/1.1", b"X: y"),
    "version": (b"GET /row HTTP/1%s1", b"X: y"),
    "name": (b"GET /row HTTP/1.1", b"X%sX: y"),
    "before the colon": (b"GET /row HTTP/1.1", b"X%s: y"),
    "value": (b"GET /row HTTP/1.1", b"X: y%sy"),
    "end of a value": (b"GET /row HTTP/1.1", b"X: y%s"),
}


def bytes_of_a_head():
    for place, (first, line) in PLACES.items():
        for byte in CONTROLS:
            data = request(line.replace(b"%s", byte), first=first.replace(b"%s", byte))
            yield Row(name_of(place, byte), data, REFUSED)
    for byte in (b"\x80", b"\xa0", b"\xff", b"\xc3\xa9"):
        yield Row(name_of("name", byte), request(b"X%sX: y" % byte), REFUSED)
        yield Row(name_of("value", byte), request(b"X: y%sy" % byte), PASSED)
    for byte in b"!#$%&'*+-.^_`|~":
        yield Row(name_of("name", bytes([byte])), request(b"X%cX: y" % byte), PASSED)
    for byte in b'()<>@,;\\"/[]?={} \t':
        yield Row(name_of("name", bytes([byte])), request(b"X%cX: y" % byte), REFUSED)
    for line in (b"", b":", b": y", b"X", b" ", b"\t", b" X: y", b"X y", b"\x00"):
        if line:
            yield Row(name_of("line", line), request(line), REFUSED)
    for end in (b"\n", b"\r", b"\r\r\n", b"\n\r\n"):
        for at, data in enumerate([b"GET /row HTTP/1.1" + end + HOST + b"\r\n" + ROW_FIELD + b"\r\n\r\n",
                                   b"GET /row HTTP/1.1\r\n" + HOST + end + ROW_FIELD + b"\r\n\r\n",
                                   b"GET /row HTTP/1.1\r\n" + HOST + b"\r\n" + ROW_FIELD + end + end]):  # fmt: skip
            yield Row(name_of("end of line", end, at), data, REFUSED)


# ---- the request line ----

VERSIONS = [b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2", b"HTTP/2.0", b"HTTP/3", b"HTTP/0.9", b"HTTP/0.0", b"HTTP/1.", b"HTTP/.1", b"HTTP/1", b"HTTP/01.1",
            b"HTTP/1.01", b"HTTP/1.10", b"HTTP/1.11", b"HTTP/11.1", b"HTTP/1,1", b"HTTP 1.1", b"http/1.1", b"Http/1.1", b"HTTPS/1.1", b"HTP/1.1",
            b"HTTP/1.1x", b"HTTP/1.a", b"HTTP/-1.1", b"HTTP/+1.1", b"XHTTP/1.1", b"/HTTP/1.1", b"HTTP//1.1", b"HTTP/1.1 ", b" HTTP/1.1",
            b"HTTP/1.1\t", b"HTTP/1.1 HTTP/1.1", b"ICY", b"RTSP/1.0", b"HTTP/1.1;", b"HTTP\\1.1", b"HTTP/\xd9\xa1.1", b""]  # fmt: skip
METHODS = [b"", b" GET", b"GET ", b"GET\t", b"\tGET", b"G ET", b"G:T", b"G(T", b"G/T", b"G@T", b"G,T", b"G;T", b'G"T', b"G[T", b"G{T", b"G=T", b"G?T", b"G\\T",
           b"G\xc3\x89T", b"\xef\xbb\xbfGET", b"CONNECT"]  # fmt: skip
BAD_TARGETS = [b"row", b"*", b"", b"#", b"/row#x", b"/ro w", b"/ro\tw", b"?x", b"//", b"ftp://%HOST%/row", b"http:///row", b"http:/row", b"http:row",
               b"http://", b"://%HOST%/row", b"http//%HOST%/row", b"http://u:p@%HOST%/row", b"http://u@%HOST%/row", b"http://%HOST%:x/row",
               b"http://%HOST% /row", b"http://%NAME%:99999/row", b"%HOST%", b"%HOST%/row", b"javascript:1", b"file:///row", b"data:,x",
               b"http://[/row", b"http://[::1/row", b"\\row", b"/row\x7f"]  # fmt: skip
ODD_TARGETS = [b"/row?", b"/row??", b"/row?a=b&&", b"/row;x", b"/row%2e", b"/row%00", b"/row%0d%0aX:%20y", b"/row%20x", b"/row%", b"/row%zz", b"/row/../row",
               b"/row/./x", b"/row//x", b"//row", b"/row\\x", b"/row\"", b"/row<x>", b"/row{x}", b"/row|x", b"/row^", b"/row`", b"/row@x", b"/row:80",
               b"/http://evil.example/", b"/row%c0%ae", b"/row\xc3\xa9"]  # fmt: skip


def request_lines():
    for version in VERSIONS:
        yield Row(name_of("version", version), request(first=b"GET /row " + version, behind=SMUGGLED), REFUSED)
        if version:
            yield Row(name_of("version, post", version), post(length_of(b"hello"), body=b"hello", first=b"POST /row " + version), REFUSED)
    for method in METHODS:
        yield Row(name_of("method", method), request(first=method + b" /row HTTP/1.1", behind=SMUGGLED), REFUSED)
    for target in BAD_TARGETS:
        verdict = EITHER if target == b"//" else REFUSED
        yield Row(name_of("target", target), request(first=b"GET " + target + b" HTTP/1.1"), verdict)
    for target in ODD_TARGETS:
        yield Row(name_of("target", target), request(first=b"GET " + target + b" HTTP/1.1"), EITHER)
    for line in (b"GET /row", b"GET", b"/row HTTP/1.1", b"GET  /row HTTP/1.1", b"GET /row  HTTP/1.1", b" GET /row HTTP/1.1", b"GET\t/row HTTP/1.1",
                 b"GET /row\tHTTP/1.1", b"GET\x0b/row\x0bHTTP/1.1", b"GET\x0c/row HTTP/1.1", b"GET\xa0/row HTTP/1.1", b"GET /row\r HTTP/1.1",
                 b"HTTP/1.1 200 OK", b"GET /row HTTP/1.1 /smuggled HTTP/1.1", b"PRI * HTTP/2.0"):  # fmt: skip
        yield Row(name_of("line", line), request(first=line), REFUSED)


def methods_and_framing():
    """A body is a body, whatever the method; what stands in it is no request."""
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"X-ODD", b"get", b"M-SEARCH", b"PURGE"):
        first = method + b" /row HTTP/1.1"
        plain = method in (b"POST", b"PUT", b"PATCH")
        yield Row(name_of(method, "length"), post(b"Content-Length: %LEN%", body=SMUGGLED, first=first), PASSED if plain else EITHER, SMUGGLED)
        yield Row(name_of(method, "chunks"), chunked(b"5\r\nhello\r\n" + ZERO, first=first), PASSED if plain else EITHER, b"hello")
        yield Row(name_of(method, "both"), post(b"Content-Length: 5", CHUNKED, body=ZERO + SMUGGLED, first=first), REFUSED)
        yield Row(name_of(method, "two lengths"), post(b"Content-Length: 0", b"Content-Length: %LEN%", body=SMUGGLED, first=first), REFUSED)
        old = method + b" /row HTTP/1.0"
        yield Row(name_of(method, "1.0"), post(b"Content-Length: %LEN%", body=SMUGGLED, first=old), EITHER, SMUGGLED)


# ---- hosts ----

BAD_HOSTS = [b"", b" ", b"user@%HOST%", b"user:pw@%HOST%", b"%HOST%/x", b"%HOST%?x", b"%HOST%#x", b"a %HOST%", b"%HOST% a", b"%HOST%, %HOST%",
             b"%HOST%,%HOST%", b"%NAME%:80a", b"%NAME%:-1", b"%NAME%:65536", b"%NAME%:99999999999999999999", b"%NAME%:80:80", b"%NAME%:+80",
             b"%NAME%: 80", b"%NAME% :80", b"%NAME%\x00", b"%NAME%\x01", b"%NAME%\x7f", b"%25%HOST%", b"[%NAME%]", b"[::1", b"::1]", b"[::1]x",
             b"[::g]", b"[]", b"[::1%25eth0]", b":80", b":", b"http://%HOST%", b"%HOST%\\x", b"<%HOST%>", b'"%HOST%"', b"%HOST%;x", b"%NAME%\x0b",
             b"%HOST%|x", b"%HOST%^", b"{%HOST%}", b"%HOST%`", b"a" * 5000]  # fmt: skip


def hosts():
    for value in BAD_HOSTS:
        yield Row(name_of("host", value), request(host=b"Host: " + value), REFUSED)
        yield Row(name_of("good, host", value), request(b"Host: " + value), REFUSED)
        absolute = request(host=b"Host: " + value, first=b"GET http://%HOST%/row HTTP/1.1")
        yield Row(name_of("absolute, host", value), absolute, REFUSED)
    for line in (b"Host : %HOST%", b"Host\t: %HOST%", b" Host: %HOST%", b"Host\x00: %HOST%", b"H\x00ost: %HOST%", b"Host;: %HOST%", b"XHost: %HOST%", None):
        yield Row(name_of("field", line or b"none"), request(host=line), REFUSED)
        if line:
            yield Row(name_of("1.0, field", line), request(host=line, first=b"GET /row HTTP/1.0"), REFUSED)
    for one in (HOST, b"Host: evil.example", b"host: %HOST%", b"HOST: %NAME%"):
        yield Row(name_of("two hosts", one), request(one), REFUSED)
        yield Row(name_of("two hosts apart", one), request(b"X-A: 1", one, b"X-B: 2"), REFUSED)
    for other in (b"evil.example", b"evil.example:80", b"127.0.0.1", b"localhost"):
        mixed = request(host=b"Host: " + other, first=b"GET http://%HOST%/row HTTP/1.1")
        yield Row(name_of("absolute wins", other), mixed, EITHER)
        yield Row(name_of("absolute of another", other), request(first=b"GET http://" + other + b"/row HTTP/1.1"), FOREIGN)
    for value in (b"%HOST%", b" %HOST%", b"\t%HOST% ", b"%HOST%\t"):
        yield Row(name_of("good host", value), request(host=b"Host:" + value), PASSED)


GROUPS = {
    "lengths": lengths,
    "pairs of lengths": pairs_of_lengths,
    "codings": codings,
    "names": names,
    "hidden fields": hidden_fields,
    "chunks": chunks,
    "trailers": trailers,
    "bytes of a head": bytes_of_a_head,
    "request lines": request_lines,
    "methods and framing": methods_and_framing,
    "hosts": hosts,
}


def rows(group):
    """With ids, each once."""
    return [(f"{group.replace(' ', '-')}-{number}", row) for number, row in enumerate(GROUPS[group]())]
