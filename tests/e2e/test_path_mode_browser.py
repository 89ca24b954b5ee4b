"""An application written for /, unchanged, under /<id>/ in a real browser: nothing it loads misses the prefix, and the console is
silent."""

import base64
import hashlib
import socket
import sys
import time
from urllib.parse import urlsplit

import pytest

import backends
from browser import Page, needs_chromium
from programs import ROOT, free_port
from service import Response

pytestmark = needs_chromium

WAIT = 180 if backends.STACK == "aws" else 60  # there each request is some calls of DynamoDB
IMAGE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
CSS = "@import '/more.css'; #a { background: url(/css.gif) } @font-face { font-family: f; src: url('/font.woff2') } #a { font-family: f }"
MODULE = """
import { one } from '/lib/one.js'
import two from 'two'
import('/lib/three.js').then(m => window.note('dynamic import', m.default))
window.note('import', one)
window.note('import map', two)
"""
INLINE = "window.inline = 'ran'"

# What scripts do once the page is there. Each notes what it got.
SCRIPT = """
window.results = {}
window.note = (what, value) => { window.results[what] = value }
const text = async answer => answer.ok ? await answer.text() : 'status ' + answer.status
const loaded = element => new Promise(done => { element.onload = () => done('loaded'); element.onerror = () => done('failed') })
addEventListener('load', async () => {
  note('inline', window.inline)
  note('path, to async scripts', window.early)
  note('fetch', await text(await fetch('/api/fetch')))
  note('fetch of a Request', await text(await fetch(new Request('/api/request', { method: 'POST', body: 'x' }))))
  note('fetch of a URL', await text(await fetch(new URL('/api/url', location.origin))))
  note('xhr', await new Promise(done => {
    const xhr = new XMLHttpRequest(); xhr.open('GET', '/api/xhr'); xhr.onload = () => done(xhr.responseText); xhr.send()
  }))
  note('events', await new Promise(done => { const s = new EventSource('/events'); s.onmessage = e => { s.close(); done(e.data) } }))
  note('websocket', await new Promise(done => {
    const s = new WebSocket((location.protocol === 'https:' ? 'wss://' : 'ws://') + location.host + '/ws')
    s.onmessage = e => done(e.data); s.onerror = () => done('error')
  }))
  note('worker', await new Promise(done => { const w = new Worker('/worker.js'); w.onmessage = e => done(e.data); w.onerror = () => done('error') }))
  note('beacon', navigator.sendBeacon('/beacon', 'x'))
  const image = new Image(); image.src = '/dynamic.gif'; note('image', await loaded(image))
  const link = document.createElement('link'); link.setAttribute('rel', 'stylesheet'); link.setAttribute('href', '/dynamic.css')
  document.head.append(link); note('link', await loaded(link))
  const script = document.createElement('script'); script.src = '/dynamic.js'; document.head.append(script); note('script', await loaded(script))
  document.querySelector('#b').innerHTML = '<a id=made href="/made">made</a><form id=form action="/form"></form>'
  await new Promise(done => setTimeout(done))
  note('link in markup', new URL(document.querySelector('#made').href).pathname)
  note('form in markup', new URL(document.querySelector('#form').action).pathname)
  note('attribute', document.querySelector('#made').getAttribute('href'))
  history.pushState({}, '', '/pushed?x'); note('pushed, to routers', location.pathname + location.search)
  await new Promise(done => setTimeout(done, 700)); note('pushed', location.pathname + location.search)
  note('relative to it', new URL('y', location.href).pathname)
  if (navigator.serviceWorker) {
    const r = await navigator.serviceWorker.register('/sw.js', { scope: '/' }); note('service worker', new URL(r.scope).pathname)
    await r.unregister()
  }
  note('cookie', document.cookie)
  note('srcset', document.querySelector('#set').currentSrc)
  note('what stood in srcset', document.querySelector('#set').getAttribute('srcset'))
  window.done = true
})
"""


def integrity(text):
    return "sha384-" + base64.b64encode(hashlib.sha384(text.encode()).digest()).decode()


def index(policy_meta=""):
    return f"""<!doctype html>
<html><head>{policy_meta}<meta charset=utf-8><title>page</title><link rel=icon href=/icon.gif>
<script type="importmap">{{"imports": {{"two": "/lib/two.js"}}, "integrity": {{"/lib/two.js": "{integrity("export default 'two'")}"}}}}</script>
<link rel=stylesheet href="/style.css" integrity="{integrity(CSS)}" crossorigin>
<script src="/main.js"></script><script async src="/early.js"></script><script nonce=n0nce>{INLINE}</script><script type=module src=/module.js></script>
</head><body><div id=a style="border-image: url('/style.gif')">a</div><div id=b></div>
<img src=/img.gif><img id=set srcset="/set1.gif 1x, /set2.gif 2x"><a id=deep href="/deep/page?x=1">deep</a>
<svg><image href="/svg.gif"/></svg></body></html>"""


def ws_talk(exchange):
    key = exchange.request.header("sec-websocket-key").encode()
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    exchange.head(101, ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept))
    exchange.send(b"\x81\x02ws")
    exchange.read()


def serve(service, *fields, meta="", sockets=backends.STACK != "aws"):
    """The application; without sockets it opens none (v1 carries none)."""
    script = SCRIPT if sockets else SCRIPT.replace("new WebSocket(", "{}; done('ws'); (x => x)(")
    texts = {
        "/": ("text/html", index(meta)), "/deep/page": ("text/html", "<title>deep</title><link rel=icon href=/icon.gif><a id=back href=/>back</a>"),
        "/style.css": ("text/css", CSS), "/more.css": ("text/css", "#b { background: url('/more.gif') }"), "/dynamic.css": ("text/css", ""),
        "/main.js": ("text/javascript", script), "/early.js": ("text/javascript", "window.early = location.pathname"), "/module.js": ("text/javascript", MODULE), "/dynamic.js": ("text/javascript", ""),
        "/lib/one.js": ("text/javascript", "export const one = 'one'"), "/lib/two.js": ("text/javascript", "export default 'two'"),
        "/lib/three.js": ("text/javascript", "export default 'three'"), "/worker.js": ("text/javascript", "postMessage('worker')"),
        "/sw.js": ("text/javascript", ""), "/beacon": ("text/plain", ""), "/font.woff2": ("font/woff2", ""),
    }  # fmt: skip
    for path, (kind, body) in texts.items():
        more = [*fields, ("Set-Cookie", "session=1; Path=/")] if path == "/" else []
        service.on(path, lambda _, kind=kind, body=body, more=more: Response(headers=[("Content-Type", kind), *more], body=body))
    for name in ("fetch", "request", "url", "xhr"):
        service.on(f"/api/{name}", lambda _, name=name: Response(headers=[("Content-Type", "text/plain")], body=name))
    for name in ("icon", "img", "set1", "set2", "svg", "css", "more", "style", "dynamic"):
        service.on(f"/{name}.gif", lambda _: Response(headers=[("Content-Type", "image/gif")], body=IMAGE))
    service.on("/events", lambda _: Response(headers=[("Content-Type", "text/event-stream")], body="data: event\n\n", length=False))
    if sockets:
        service.stream("/ws", ws_talk)


def check(page, url, service):
    """Everything has come, nothing has missed."""
    prefix = urlsplit(url).path.rstrip("/")
    page.watch()
    page.open(url)
    page.wait("window.done", WAIT)
    results = page.evaluate("window.results")
    assert results.pop("srcset").endswith(f"{prefix}/set1.gif")
    expected = {
        "inline": "ran", "path, to async scripts": "/", "fetch": "fetch", "fetch of a Request": "request", "fetch of a URL": "url", "xhr": "xhr", "events": "event",
        "websocket": "ws", "worker": "worker", "beacon": True, "image": "loaded", "link": "loaded", "script": "loaded",
        "import": "one", "import map": "two", "dynamic import": "three", "link in markup": f"{prefix}/made", "attribute": "/made",
        "form in markup": f"{prefix}/form", "pushed, to routers": "/pushed?x", "pushed": f"{prefix}/pushed?x", "relative to it": f"{prefix}/y", "cookie": "session=1",
        "service worker": f"{prefix}/", "what stood in srcset": "/set1.gif 1x, /set2.gif 2x",
    }  # fmt: skip
    assert results == expected
    for path in ("/icon.gif", "/img.gif", "/set1.gif", "/svg.gif", "/css.gif", "/more.gif", "/style.gif", "/dynamic.gif", "/more.css"):
        service.wait_seen(path)
    page.evaluate("document.querySelector('#deep').click()")
    page.wait("document.title === 'deep'")
    page.wait(f"location.pathname + location.search === '{prefix}/deep/page?x=1'")
    page.evaluate("document.querySelector('#back').click()")
    page.wait("document.title === 'page' && window.done", WAIT)
    page.wait(f"location.pathname === '{prefix}/pushed'")
    assert [text for text in page.problems() if "font" not in text and "OTS" not in text] == []  # it is no font


@pytest.fixture
def page(tmp_path):
    with Page(tmp_path / "browser") as page:
        yield page


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def url_of(stack):
    return f"http://localhost:{stack.gateway.address[1]}/{stack.ttf.tunnel_id}/"


def test_an_application_written_for_the_root(stack, page):
    serve(stack.service)
    check(page, url_of(stack), stack.service)


@pytest.mark.skipif(backends.STACK != "aws", reason="a stage is API Gateway's")
def test_behind_a_named_stage(start, page):
    gateway = start.gateway("--api-stage", "dev", "--api-custom-domain", "false")
    service = start.service()
    ttf = start.forwarder(gateway.endpoint + "/dev", service)
    assert "/dev/" in ttf.url
    serve(service)
    check(page, ttf.url + "/", service)


@pytest.mark.parametrize("where", ["field", "meta"])
def test_under_a_policy_with_a_nonce(stack, page, where):
    policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'nonce-n0nce' 'strict-dynamic'"
    scripted = index().replace("<script ", "<script nonce=n0nce ").replace("nonce=n0nce nonce=n0nce", "nonce=n0nce")
    meta = f'<meta http-equiv=content-security-policy content="{policy}">' if where == "meta" else ""
    serve(stack.service, *([("Content-Security-Policy", policy)] if where == "field" else []))
    fields = [("Content-Security-Policy", policy)] if where == "field" else []
    stack.service.on("/", lambda _: Response(
        headers=[("Content-Type", "text/html"), ("Set-Cookie", "session=1; Path=/"), *fields], body=scripted.replace("<head>", "<head>" + meta)))  # fmt: skip
    check(page, url_of(stack), stack.service)


@pytest.mark.parametrize("base,base_uri,folder", [("", "'none'", "/deep/"), ("", "'self'", "/deep/"), ("<base href=/assets/>", "'self'", "/assets/")])
def test_relative_urls_under_a_policy_with_a_hash(stack, page, base, base_uri, folder):
    """They lead to the same place while the page loads, when its address has no prefix, as they do later; also by a base of its own."""
    inline = "window.seen = { path: location.pathname }; fetch('by-script').then(r => r.text()).then(t => { seen.text = t })"
    own = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'self' 'sha256-{own}'; img-src 'self' data:; connect-src 'self'; base-uri {base_uri}"
    html = f"<!doctype html><head><title>deep</title><link rel=icon href=data:,>{base}<script>{inline}</script><script async src=a.js></script></head><body><img src=i.gif>"
    fields = [("Content-Type", "text/html"), ("Content-Security-Policy", policy)]
    stack.service.on("/deep/page", lambda _: Response(headers=fields, body=html))
    stack.service.on(folder + "a.js", lambda _: Response(headers=[("Content-Type", "text/javascript")], body="seen.later = location.pathname"))
    stack.service.on(folder + "i.gif", lambda _: Response(headers=[("Content-Type", "image/gif")], body=IMAGE))
    stack.service.on(folder + "by-script", lambda _: Response(headers=[("Content-Type", "text/plain")], body="text"))
    page.watch()
    page.open(url_of(stack) + "deep/page")
    page.wait("window.seen && seen.text && seen.later && document.images[0].naturalWidth", WAIT)
    assert page.evaluate("seen") == {"path": "/deep/page", "text": "text", "later": "/deep/page"}
    page.wait(f"location.href === '{url_of(stack)}deep/page'")
    assert page.evaluate("document.querySelectorAll('base').length") == bool(base)
    assert page.evaluate("document.images[0].src").endswith(f"/{stack.ttf.tunnel_id}{folder}i.gif")
    assert page.problems() == []


def test_a_page_that_a_script_has_fetched_is_one_when_it_is_opened(stack, page):
    """What a script gets has no script of ours in it, and the browser may keep it."""
    stack.service.on("/p", lambda _: Response(headers=[("Content-Type", "text/html"), ("Cache-Control", "max-age=600")], body="<title>p</title>"))
    stack.service.on("/", lambda _: Response(headers=[("Content-Type", "text/html")], body="<title>a</title><a id=a href=/p>p</a>"))
    page.open(url_of(stack))
    page.wait("document.title === 'a'")
    page.evaluate("fetch('/p').then(answer => answer.text()).then(text => { window.got = text })")
    page.wait("window.got")
    assert page.evaluate("window.got") == "<title>p</title>"
    page.evaluate("document.querySelector('#a').click()")
    page.wait("document.title === 'p'")
    assert page.evaluate("window.__TUNNEL_CONTEXT__.tunnelId") == stack.ttf.tunnel_id


def test_the_todo_list(start, page, tmp_path):
    port = free_port()
    app = start.program(sys.executable, ROOT / "examples/todo/app.py", port, expect_killed=True)
    while not answers(port):
        assert app.process.poll() is None, app.dump()
        time.sleep(0.05)
    gateway = start.gateway()
    ttf = start.forwarder(gateway, port)
    url = f"http://localhost:{gateway.address[1]}/{ttf.tunnel_id}/"
    page.watch()
    page.open(url)
    page.wait("document.querySelectorAll('li').length >= 7")
    page.screenshot(tmp_path / "todo.png")
    page.evaluate("document.querySelector('footer a').click()")
    page.wait("location.pathname.endsWith('/docs')")
    page.wait(f"location.pathname === '{urlsplit(url).path}docs'")
    page.wait("document.body.innerText.includes('/todos')")
    page.screenshot(tmp_path / "docs.png")
    assert [text for text in page.problems() if "favicon.ico" not in text] == []  # it has none


def test_two_tunnels_in_one_browser(stack, start, page):
    """What their scripts ask for without the prefix goes to each one's own service, whichever page was opened last."""
    if backends.STACK == "aws":
        pytest.skip("one service is enough there")
    services = {"one": stack.service, "two": start.service()}
    urls = {"one": url_of(stack)}
    other = start.forwarder(stack.gateway, services["two"])
    urls["two"] = f"http://localhost:{stack.gateway.address[1]}/{other.tunnel_id}/"
    for name, service in services.items():
        service.on("/", lambda _, name=name: Response(headers=[("Content-Type", "text/html")], body=f"<title>{name}</title><link rel=icon href=data:,>"))
    page.watch()
    page.open(urls["one"])
    page.wait("document.title === 'one' && document.readyState === 'complete'")
    page.wait(f"location.href === '{urls['one']}'")
    page.command("Target.createTarget", url=urls["two"])
    services["two"].wait_seen("/")
    page.evaluate("const s = document.createElement('style'); s.textContent = '@import url(/which.css)'; document.head.append(s); 0")
    services["one"].wait_seen("/which.css")
    assert services["two"].seen("/which.css") == []
    assert page.command("Network.getCookies", urls=[urls["two"][: -len(other.tunnel_id) - 1]])["cookies"][0]["value"] == f"/{other.tunnel_id}"
    page.open(urls["two"] + "?x")
    page.wait("document.title === 'two' && location.search")
    page.evaluate("location.href = '/deep/link'; 0")
    page.wait(f"location.pathname === '/{other.tunnel_id}/deep/link'")
