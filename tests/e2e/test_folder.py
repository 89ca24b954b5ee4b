"""ttf ./folder: the files of a folder, and nothing else, as a tunnel's service."""

import base64
import hashlib
import html
import os
import re
import socket
import time
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

import backends
import http_raw
from browser import Page, needs_chromium
from programs import BIN

IMAGE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
SECRET = b"top-secret"

in_memory_alone = pytest.mark.skipif(backends.STACK == "aws", reason="its answers are bounded")


@pytest.fixture
def site(tmp_path):
    """A folder with what a site has, and with what must not get out; beside it what is not in it."""
    site = tmp_path / "site"
    (site / "sub" / ".git").mkdir(parents=True)
    (site / "empty").mkdir()
    (site / ".well-known").mkdir()
    (tmp_path / "site-else").mkdir()
    for path in ("outside.txt", "site-else/x.txt", "site/.env", "site/sub/.git/config", "site/.well-known/.hidden"):
        (tmp_path / path).write_bytes(SECRET)
    (site / "index.html").write_text("<!doctype html><title>site</title>welcome")
    (site / "style.css").write_text("h1 { color: red }")
    (site / "digits.txt").write_text("0123456789")
    (site / "nothing.txt").write_text("")
    (site / "sub" / "page.html").write_text("a page")
    (site / ".well-known" / "security.txt").write_text("mail us")
    (site / "link.txt").symlink_to("digits.txt")
    (site / "sub" / "up.txt").symlink_to("../digits.txt")
    (site / "out.txt").symlink_to("../outside.txt")
    (site / "absolute.txt").symlink_to(tmp_path / "outside.txt")
    (site / "outer").symlink_to("..")
    (site / "root").symlink_to("/")
    (site / "proc").symlink_to("/proc/self/root")
    (site / "loop").symlink_to("loop")
    os.mkfifo(site / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(site)
        bound.bind("socket")
        os.chdir("/")
    return site


class Served:
    def __init__(self, gateway, ttf):
        self.gateway, self.ttf = gateway, ttf

    def get(self, target="/", method="GET", headers=(), body=None):
        return http_raw.request(self.gateway.address, method, target, self.ttf.host, headers=headers, body=body)


@pytest.fixture
def serve(start, site):
    def serve(*options, folder=None, **more):
        gateway = start.gateway()
        return Served(gateway, start.forwarder(gateway, str(folder or site), *options, **more))

    return serve


# ---- what is served ----


@pytest.mark.protocols("v1", "v2")
def test_files(serve, site):
    served = serve()
    answer = served.get()
    assert (answer.status, answer.body) == (200, (site / "index.html").read_bytes())
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("etag") and parsedate_to_datetime(answer.header("last-modified"))
    css = served.get("/style.css?v=1")
    assert (css.status, css.body) == (200, b"h1 { color: red }")
    assert css.header("content-type") == "text/css; charset=utf-8"
    assert served.get("/nothing.txt").body == b"" and served.get("/nothing.txt").status == 200
    assert served.get("/.well-known/security.txt").body == b"mail us"
    assert served.get("/link.txt").body == served.get("/sub/up.txt").body == b"0123456789"
    head = served.get("/digits.txt", "HEAD")
    length = "0" if backends.STACK == "aws" else "10"  # API Gateway says its own
    assert (head.status, head.header("content-length"), head.body) == (200, length, b"")


def test_names_in_any_bytes(serve, site):
    names = [b"a b.txt", b"a+b.txt", "ä.txt".encode(), b"\xff\xfe.txt", b"new\nline.txt", b"<b>&\"'.txt", b"100%.txt", b"a?b#c.txt", b"a;b=c.txt", b"back\\slash.txt"]
    if backends.STACK == "aws":
        names.remove(b"\xff\xfe.txt")  # API Gateway takes UTF-8 alone
    for name in names:
        (site / os.fsdecode(name)).write_bytes(name)
    served = serve("--list")
    for name in names:
        target = "/" + "".join(f"%{byte:02x}" for byte in name)
        assert served.get(target).body == name
    (site / "index.html").unlink()
    page = served.get("/").body.decode()
    links = [unquote_to_bytes(html.unescape(link)) for link in re.findall(r'href="\./([^"]*)"', page)]
    assert set(names) <= set(links)
    assert "<b>&\"" not in page


HOSTILE = """
/.env /%2eenv /%2Eenv /.%65nv /sub/.git/config /sub/.git/ /sub/.git /sub/%2egit/config /.well-known/.hidden /.well-known/../.env
/../outside.txt /../../outside.txt /sub/../../outside.txt /%2e%2e/outside.txt /%2E%2E/outside.txt /.%2e/outside.txt /%2e./outside.txt
/..%2foutside.txt /..%2Foutside.txt /sub%2f..%2f..%2foutside.txt /sub/..%2f..%2foutside.txt /%2e%2e%2foutside.txt
/%252e%252e/outside.txt /..%252foutside.txt /%c0%ae%c0%ae/outside.txt /%c0%ae%c0%ae%c0%afoutside.txt /%e0%80%ae%e0%80%ae/outside.txt
/..\\outside.txt /..%5coutside.txt /sub\\..\\..\\outside.txt /...//outside.txt /....//outside.txt /.../outside.txt /..;/outside.txt
/../site-else/x.txt /../site-else/ /%2e%2e/site-else/x.txt /../site/.env
//etc/passwd ///etc/passwd /%2fetc/passwd /%2Fetc%2Fpasswd //../outside.txt /./../outside.txt /sub/./../../outside.txt
/out.txt /absolute.txt /outer/outside.txt /outer/ /outer /outer/site-else/x.txt /root/etc/passwd /root/ /proc/etc/passwd /proc/self/environ /loop
/fifo /socket /fifo/ /socket/
/.env%00.txt /index.html%00 /%00 /.env%00 /outside.txt%00.html
/% /%2 /%zz /%u002e%u002e/outside.txt /index.html% /.env%20 /.env/ /.env/. /sub/.
/style.css/ /style.css/x /index.html/../../outside.txt /index.html/..%2f..%2foutside.txt
/file:///etc/passwd /?../outside.txt=1&/.env /sub/?/../outside.txt
""".split()


def test_nothing_else(serve, site):
    """The table of what others have been broken into by."""
    assert len(HOSTILE) >= 40
    served = serve("--list")
    for target in HOSTILE:
        answer = served.get(target)
        assert SECRET not in answer.body and b"root:" not in answer.body, target
        path = target.partition("?")[0]
        assert answer.status == 200 if path in ("/", "/sub/") else answer.status in (400, 404), (target, answer)
        assert answer.status != 400 or answer.error, "the folder itself says 404"
    for target in ("/" + "a" * 300, "/" + "a/" * 900, "/" + "%61" * 1000):
        assert served.get(target).status == 404
    page = served.get("/sub/").body
    assert b".git" not in page and b"page.html" in page
    (site / "index.html").unlink()
    page = served.get("/").body
    for name in (b".env", b"out.txt", b"absolute.txt", b"outer", b"root", b"proc", b"loop", b"fifo", b"socket"):
        assert b'href="./' + name not in page
    assert b'href="./link.txt"' in page


def test_absolute_targets_and_methods(serve):
    served = serve()
    assert served.get(f"http://{served.ttf.host}/digits.txt").body == b"0123456789"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        body = b"x" * 100_000 if method in ("POST", "PUT") else None
        answer = served.get("/digits.txt", method, body=body)
        assert (answer.status, answer.header("allow")) == (405, "GET, HEAD"), method
    assert served.get("/digits.txt", body=b"a body that nobody wants").body == b"0123456789"


def test_large_heads(serve):
    served = serve()
    assert served.get("/digits.txt", headers=[("Cookie", "a" * 6_000), ("X-Other", "b" * 6_000)]).status == 200
    if backends.STACK == "aws":
        return  # API Gateway takes no larger ones
    assert served.get("/digits.txt", headers=[(f"X-{i}", "b" * 7_000) for i in range(8)]).status == 431
    assert served.get("/digits.txt").status == 200


def test_permissions(serve, site):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (site / "mine.txt").write_bytes(SECRET)
    (site / "mine.txt").chmod(0)
    assert serve().get("/mine.txt").status == 403


# ---- folders ----


def test_folders(serve, site):
    (site / "docs").mkdir()
    (site / "docs" / "index.html").write_text("the docs")
    (site / "a:b c").mkdir()
    (site / "linked").symlink_to("docs")
    served = serve()
    for target, location in (("/docs", "./docs/"), ("/docs?x=%41&y", "./docs/?x=%41&y"), ("/a:b%20c", "./a%3Ab%20c/"), ("/linked", "./linked/")):
        answer = served.get(target)
        assert (answer.status, answer.header("location")) == (302, location)
    assert served.get("/docs/").body == served.get("/linked/").body == b"the docs"
    refused = served.get("/sub/")
    assert refused.status == 403 and b"--list" in refused.body
    assert served.get("/sub/page.html").status == 200


def test_listing(serve, site):
    (site / "sub" / "Zoo").mkdir()
    (site / "sub" / "big.bin").write_bytes(b"x" * 1_234_567)
    (site / "sub" / "<script>alert(1)<").write_text("")
    served = serve("--list")
    answer = served.get("/sub/")
    assert answer.status == 200 and "default-src 'none'" in answer.header("content-security-policy")
    page = answer.body.decode()
    assert re.findall(r'<a href="\./([^"]*)"', page) == ["Zoo/", "%3Cscript%3Ealert%281%29%3C", "big.bin", "page.html", "up.txt"]
    assert "<script" not in page and "&#60;script&#62;" in page
    assert "1.2 MB" in page and 'lang="en"' in page and "../" in page
    assert "Nothing is in here" in served.get("/empty/").body.decode()
    assert served.get("/").body == (site / "index.html").read_bytes(), "index.html comes first"


@in_memory_alone
def test_a_listing_has_a_bound(serve, site):
    for i in range(10_050):
        (site / "empty" / f"{i}").touch()
    page = serve("--list").get("/empty/").body.decode()
    assert page.count("<tr><td>") == 10_000 and "There is more" in page


# ---- parts, and what is known already ----


def test_ranges(serve):
    served = serve()
    answer = served.get("/digits.txt", headers=[("Range", "bytes=2-4")])
    assert (answer.status, answer.body, answer.header("content-range")) == (206, b"234", "bytes 2-4/10")
    answer = served.get("/digits.txt", headers=[("Range", "bytes=-3")])
    assert (answer.status, answer.body) == (206, b"789")
    answer = served.get("/digits.txt", headers=[("Range", "bytes=10-")])
    assert (answer.status, answer.header("content-range")) == (416, "bytes */10")
    assert served.get("/digits.txt", headers=[("Range", "bytes=0-1,4-5")]).body == b"0123456789"
    head = served.get("/digits.txt", "HEAD", headers=[("Range", "bytes=2-4")])
    assert head.status in (200, 206)
    etag = served.get("/digits.txt").header("etag")
    assert served.get("/digits.txt", headers=[("Range", "bytes=2-4"), ("If-Range", etag)]).status == 206
    assert served.get("/digits.txt", headers=[("Range", "bytes=2-4"), ("If-Range", '"other"')]).body == b"0123456789"


def test_conditional_requests(serve, site):
    served = serve()
    first = served.get("/digits.txt")
    etag, modified = first.header("etag"), first.header("last-modified")
    for condition in (("If-None-Match", etag), ("If-None-Match", f'"x", W/{etag}'), ("If-Modified-Since", modified)):
        answer = served.get("/digits.txt", headers=[condition])
        assert (answer.status, answer.body, answer.header("etag")) == (304, b"", etag)
        assert answer.header("content-length") in (None, "10") or backends.STACK == "aws"
    assert served.get("/digits.txt", headers=[("If-Match", '"x"')]).status == 412
    (site / "digits.txt").write_text("9876543210")
    changed = served.get("/digits.txt", headers=[("If-None-Match", etag)])
    assert (changed.status, changed.body) == (200, b"9876543210")


def test_a_connection_goes_on(serve):
    """One after the other on one connection, with all kinds of ends."""
    served = serve()
    with http_raw.Connection(served.gateway.address) as connection:
        for target, status in (("/digits.txt", 200), ("/none", 404), ("/sub", 302), ("/nothing.txt", 200), ("/sub/", 403), ("/digits.txt", 200)):
            connection.send(http_raw.build("GET", target, served.ttf.host, [], None))
            assert connection.read_response().status == status


# ---- large files ----


@in_memory_alone
@pytest.mark.parametrize("path_mode", [False, True])
def test_a_gigabyte_in_little_memory(serve, site, path_mode):
    size = 1 << 30
    with open(site / "big.bin", "wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    served = serve()
    target, host = ("/big.bin", served.ttf.host)
    if path_mode:
        target, host = f"/{served.ttf.tunnel_id}/big.bin", "localhost:%d" % served.gateway.address[1]
    served.get("/digits.txt")
    before, most, left, tail = served.ttf.rss_kib(), 0, size, b""
    with http_raw.Connection(served.gateway.address, 120) as connection:
        connection.send(http_raw.build("GET", target, host, [], None))
        head = connection.read_head()
        assert (head.status, head.header("content-length")) == (200, str(size))
        piece, connection.buffer = connection.buffer, b""
        while True:
            left -= len(piece)
            tail = (tail + piece)[-3:]
            if not left:
                break
            most = max(most, served.ttf.rss_kib())
            piece = connection.socket.recv(1 << 20)
            assert piece, "cut"
    assert tail == b"end"
    assert most - before < 16 * 1024 or os.environ.get("TTF_SLOW")
    assert served.get("/big.bin", headers=[("Range", f"bytes={size - 3}-")]).body == b"end"


@in_memory_alone
def test_a_file_that_shrinks_while_it_is_sent(serve, site):
    """Nobody takes the part for the whole."""
    (site / "big.bin").write_bytes(b"x" * (64 << 20))
    served = serve()
    with http_raw.Connection(served.gateway.address) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.send(http_raw.build("GET", "/big.bin", served.ttf.host, [], None))
        assert connection.read_head().status == 200
        os.truncate(site / "big.bin", 1000)
        with pytest.raises((http_raw.Cut, ConnectionError)):
            connection._exactly(64 << 20)
    assert served.get("/digits.txt").body == b"0123456789"


@in_memory_alone
def test_many_at_once(serve, site):
    data = os.urandom(300_000)
    (site / "file.bin").write_bytes(data)
    served = serve()
    connections = [http_raw.Connection(served.gateway.address) for _ in range(100)]
    for connection in connections:
        connection.send(http_raw.build("GET", "/file.bin", served.ttf.host, [], None))
    for connection in connections:
        assert hashlib.sha256(connection.read_response().body).digest() == hashlib.sha256(data).digest()
        connection.close()


# ---- how it is said ----


@pytest.fixture
def fails(start, tmp_path):
    def fails(*arguments, cwd=None, env=None):
        home = {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state")}
        program = start.program(BIN / "ttf", *arguments, env={**home, **(env or {})}, cwd=cwd or tmp_path)
        program.expect_killed = True
        assert program.wait_exit() == 2, program.dump()
        lines = [line for line in program.err if line.strip()]
        assert len(lines) == 1, program.dump()
        return lines[0]

    return fails


def test_what_is_no_folder(fails, site, tmp_path):
    assert fails("./none") == "ttf: there is no folder './none'"
    assert "'./site/index.html' is no folder" in fails("./site/index.html")
    assert "did you mean the folder, ./site?" in fails("site")
    assert "--list wants a folder to serve" in fails("3000", "--list")
    assert "--local-https is not for a folder" in fails("./site", "--local-https")
    assert "said twice" in fails("./site", "--port", "3000")
    assert "a second service" in fails("./site", "./site")
    if os.geteuid():
        (site / "sub").chmod(0)
        assert "cannot be read: Permission denied" in fails("./site/sub")
        (site / "sub").chmod(0o700)


@pytest.mark.parametrize("word", [".", "./", "../site", "sub/..", "ABSOLUTE"])
def test_words(start, site, word):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, str(site) if word == "ABSOLUTE" else word, cwd=site)
    assert Served(gateway, ttf).get("/digits.txt").body == b"0123456789"
    assert any(line.startswith("Local service: the folder ") for line in ttf.out)


def test_a_home_is_warned_of(start, tmp_path):
    (tmp_path / "sub").mkdir()
    gateway, env = start.gateway(), {"HOME": str(tmp_path)}
    warned = start.forwarder(gateway, ".", env=env, cwd=tmp_path)
    warned.wait_err("in the folder [.] but those whose names begin with a dot")
    assert start.forwarder(gateway, "./sub", env=env, cwd=tmp_path).err == []


def test_a_folder_that_is_made_anew(serve, site, tmp_path):
    """As builders do, who remove what they have built before."""
    served = serve()
    assert served.get("/digits.txt").status == 200
    site.rename(tmp_path / "before")
    assert served.get("/digits.txt").status == 404
    site.mkdir()
    (site / "digits.txt").write_text("new")
    assert served.get("/digits.txt").body == b"new"


def test_each_folder_has_a_url_of_its_own(start, site, tmp_path):
    gateway, state = start.gateway(), tmp_path / "kept"
    state.mkdir()
    one, other = start.forwarder(gateway, str(site), state_home=state), start.forwarder(gateway, str(site / "sub"), state_home=state)
    assert one.host != other.host
    hosts = {one.host, other.host}
    for ttf in (one, other):
        ttf.stop()
    again = start.forwarder(gateway, str(site / "sub") + "/", state_home=state)
    assert again.host == other.host and again.host in hosts


def home_of(start, tmp_path):
    env = {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state")}
    return lambda *arguments, cwd: start.program(BIN / "ttf", *arguments, env=env, cwd=cwd)


def test_ttf_yaml_and_its_changes(start, site, tmp_path):
    gateway, ttf = start.gateway(), home_of(start, tmp_path)
    service = start.service()
    file = site / "ttf.yaml"
    text = f"endpoint: {gateway.endpoint}\ntunnels:\n  web: {{service: ./sub, list: true}}\n  api: {service.port}\n"
    file.write_text(text)
    program = ttf(cwd=site)
    host = urlsplit(program.wait_line(r"^web: Tunnel established: (\S+)$")[1]).netloc

    def get(target):
        return http_raw.request(gateway.address, "GET", target, host)

    assert get("/page.html").body == b"a page"
    assert b"page.html" in get("/").body
    seen = len(program.out)
    file.write_text(text.replace(", list: true", ""))
    program.wait_line(r"^web: Tunnel established: (\S+)$", after=seen)
    assert get("/").status == 403
    seen = len(program.out)
    file.write_text(text.replace("{service: ./sub, list: true}", str(service.port)))
    program.wait_line(r"^web: Tunnel established: (\S+)$", after=seen)
    assert get("/").body and b'"method": "GET"' in get("/").body
    seen = len(program.err)
    file.write_text(text.replace("./sub", "./gone"))
    program.wait_err(r"ttf.yaml:3: there is no folder '.*gone'; nothing changes", after=seen)
    assert b'"method": "GET"' in get("/").body


@pytest.mark.parametrize("folder", ["/etc", "..", "../outside", "./link", "./sub/../..", "./.git", "./sub/.git", "./dotlink"])
def test_a_found_ttf_yaml_serves_nothing_else(fails, site, tmp_path, folder):
    """It may have come with somebody else's repository."""
    (tmp_path / "outside").mkdir()
    (site / ".git").mkdir()
    (site / "link").symlink_to("/etc")
    (site / "dotlink").symlink_to(".git")
    (site / "ttf.yaml").write_text(f"tunnels: {{web: {folder}}}\n")
    assert "may serve no folder but those below it" in fails(cwd=site)


def test_the_users_own_ttf_yaml_serves_any(start, site, tmp_path):
    gateway = start.gateway()
    config = tmp_path / "home" / ".config" / "ttf"
    config.mkdir(parents=True)
    (config / "ttf.yaml").write_text(f"endpoint: {gateway.endpoint}\ntunnels: {{web: {site}}}\n")
    program = home_of(start, tmp_path)("start", cwd=tmp_path)
    host = urlsplit(program.wait_line(r"^web: Tunnel established: (\S+)$")[1]).netloc
    assert http_raw.request(gateway.address, "GET", "/digits.txt", host).body == b"0123456789"


def test_the_api_serves_none(start, site):
    """Others of this machine may reach it."""
    gateway = start.gateway()
    ttf = start.forwarder(gateway, str(site), "--inspect", "127.0.0.1:0")
    port = int(ttf.wait_line(r"http://127.0.0.1:(\d+)/")[1])
    body = b'{"name": "x", "proto": "http", "addr": "/etc"}'
    answer = http_raw.request(("127.0.0.1", port), "POST", "/api/tunnels", f"127.0.0.1:{port}", [("Content-Type", "application/json")], body)
    assert answer.status in (400, 401, 403)
    assert Served(gateway, ttf).get("/digits.txt").body == b"0123456789"


def test_a_request_is_repeated(start, site):
    """The inspector asks the folder like a service."""
    gateway = start.gateway()
    ttf = start.forwarder(gateway, str(site), "--inspect", "127.0.0.1:0")
    Served(gateway, ttf).get("/digits.txt")
    found = ttf.wait_line(r"http://127.0.0.1:(\d+)/(?:#(\S+))?")
    port, key = int(found[1]), found[2] or ""
    body = b'{"id": "1", "tunnel_name": "command_line"}'
    fields = [("Content-Type", "application/json"), ("X-Inspect-Key", key)]
    answer = http_raw.request(("127.0.0.1", port), "POST", "/api/requests/http", f"127.0.0.1:{port}", fields, body)
    assert answer.status == 204
    number = int(answer.header("x-inspect-ids"))
    deadline = time.monotonic() + 60
    while True:
        record = http_raw.request(("127.0.0.1", port), "GET", f"/api/requests/http/{number}", f"127.0.0.1:{port}").json()
        if record.get("response", {}).get("status_code") == 200:
            break
        assert time.monotonic() < deadline, record
        time.sleep(0.02)


def test_the_doctor_knows_it(start, site, tmp_path):
    gateway = start.gateway()
    program = home_of(start, tmp_path)("doctor", "./site", "-e", gateway.endpoint, cwd=tmp_path)
    assert program.wait_exit() == 0, program.dump()
    assert any(re.search(r"^ok +service +the folder ./site can be read", line) for line in program.out)


def test_rules_for_visitors_hold(serve):
    served = serve("--basic-auth", "ann:secret-word")
    assert served.get("/digits.txt").status == 401
    login = base64.b64encode(b"ann:secret-word").decode()
    assert served.get("/digits.txt", headers=[("Authorization", f"Basic {login}")]).body == b"0123456789"


# ---- in a browser ----


@needs_chromium
@pytest.mark.parametrize("mode", ["subdomain", "path"])
def test_a_page_with_all_it_loads(serve, site, tmp_path, mode):
    if mode == "subdomain" and backends.STACK == "aws":
        pytest.skip("there it is the path")
    (site / "sub" / "img").mkdir()
    (site / "sub" / "img" / "a.gif").write_bytes(IMAGE)
    (site / "app.js").write_text("import { one } from '/sub/one.js'; window.one = one; fetch('./digits.txt').then(r => r.text()).then(t => { window.digits = t })")
    (site / "sub" / "one.js").write_text("export const one = 'one'")
    (site / "index.html").write_text(
        "<!doctype html><html lang=en><head><title>site</title><link rel=icon href=data:,><link rel=stylesheet href=/style.css>"
        "<script type=module src=app.js></script></head><body><h1>red</h1><img src=/sub/img/a.gif><a id=sub href=/sub>sub</a></body></html>"
    )
    served = serve("--list")
    url = served.ttf.url + "/" if mode == "subdomain" else f"http://localhost:{served.gateway.address[1]}/{served.ttf.tunnel_id}/"
    prefix = urlsplit(url).path.rstrip("/")
    with Page(tmp_path / "browser") as page:
        page.watch()
        page.open(url)
        page.wait("window.digits === '0123456789' && window.one === 'one' && document.images[0].naturalWidth === 1")
        page.wait("getComputedStyle(document.querySelector('h1')).color === 'rgb(255, 0, 0)'")
        page.wait(f"location.pathname === '{prefix}/'")
        page.evaluate("document.querySelector('#sub').click()")
        page.wait("document.title === 'Files in /sub'")
        page.wait(f"location.pathname === '{prefix}/sub/'")
        page.screenshot(tmp_path / "listing.png")
        page.evaluate("document.querySelector('a[href*=\"img/\"]').click()")
        page.wait("document.title === 'Files in /sub/img'")
        page.evaluate("document.querySelector('a').click()")
        page.wait("document.title === 'Files in /sub'")
        assert page.problems() == []
