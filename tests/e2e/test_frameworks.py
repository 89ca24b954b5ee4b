"""Frameworks as their registries give them, behind a tunnel of a real host name, with Host preserved and rewritten: which of
them refuse the visitor's, that the hint helps, and that all of one view of hosts is right for them (WebSockets, forms, redirects).

Installs from npm, PyPI and Maven Central: a command of their own (`./dev test apps`). Rails is Debian's (`apt-get install ruby-railties puma`), since
not every machine reaches its own registry; its test is left out where that is not installed."""

import re
import shutil
import subprocess
import sys
import time
from urllib.parse import quote

import pytest

import apps
import http_raw
from programs import free_port

DOMAIN = "t.example.test"
HINT = "--host-header rewrite"

pytestmark = [
    pytest.mark.apps,
    pytest.mark.timeout(600),
]


def npm(folder, *packages):
    if not shutil.which("npm"):
        pytest.skip("no npm here")
    (folder / "package.json").write_text('{"private": true}')
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", *packages], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def pip(folder, *packages):
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    done = subprocess.run([folder / "venv/bin/pip", "install", "-q", *packages], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "venv/bin/python"


class App:
    """What a row needs: the visitor's side of the tunnel."""

    def __init__(self, gateway, ttf):
        self.gateway, self.ttf = gateway, ttf

    def ask(self, target="/", method="GET", body=None, **headers):
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return http_raw.request(self.gateway.address, method, target, self.ttf.host, headers=fields, body=body)

    def post_form(self, target, text, origin=None, **headers):
        return self.ask(
            target, "POST", text.encode(), Content_Type="application/x-www-form-urlencoded", Origin=origin or f"http://{self.ttf.host}", **headers
        )

    def socket(self, target):
        """The first line of the answer to a WebSocket handshake."""
        with http_raw.Connection(self.gateway.address) as connection:
            connection.send(
                f"GET {target} HTTP/1.1\r\nHost: {self.ttf.host}\r\nOrigin: http://{self.ttf.host}\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            return connection._line().decode()


@pytest.fixture
def tunnel(start):
    """tunnel(port, *options): an App."""

    def make(port, *options):
        gateway = start.gateway("--domain", DOMAIN, "--trusted-proxies", "127.0.0.1")
        return App(gateway, start.forwarder(gateway, port, *options))

    return make


def both(tunnel, port):
    return tunnel(port), tunnel(port, "--host-header", "rewrite")


def check_hints(preserved, rewritten, refused):
    if refused:
        preserved.ttf.wait_line(HINT)
    assert refused or not any("Hint:" in line for line in preserved.ttf.out)
    assert not any("Hint:" in line for line in rewritten.ttf.out), rewritten.ttf.dump()


def test_express(start, tmp_path, tunnel):
    """It takes any host, and makes absolute URLs of what it is told."""
    npm(tmp_path, "express")
    (tmp_path / "app.js").write_text(
        """const app = require('express')()
app.set('trust proxy', true)
app.get('/', (q, r) => r.send(`${q.protocol}://${q.get('host')} ${q.hostname}`))
app.get('/to', (q, r) => r.redirect(`${q.protocol}://${q.get('host')}/`))
app.listen(process.argv[2], 'localhost', () => console.log('Ready'))"""
    )
    port = free_port()
    start.program("node", "app.js", port, cwd=tmp_path, expect_killed=True).wait_line("Ready", 60)
    preserved, rewritten = both(tunnel, port)
    assert preserved.ask().body.decode() == f"http://{preserved.ttf.host} {preserved.ttf.host.partition(':')[0]}"
    assert rewritten.ask().body.decode() == f"http://localhost:{port} localhost"
    for app in (preserved, rewritten):
        assert app.ask("/to").header("location") == f"http://{app.ttf.host}/"
    check_hints(preserved, rewritten, False)


def test_webpack_dev_server(start, tmp_path, tunnel):
    npm(tmp_path, "webpack", "webpack-cli", "webpack-dev-server")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/index.js").write_text("document.title = 'x'")
    (tmp_path / "webpack.config.js").write_text("module.exports = { mode: 'development', devServer: { host: 'localhost' } }")
    port = free_port()
    start.program("node", "node_modules/webpack-cli/bin/cli.js", "serve", "--port", port, cwd=tmp_path, expect_killed=True).wait_line(
        "compiled", 120, stream=None
    )
    preserved, rewritten = both(tunnel, port)
    assert preserved.ask("/main.js").status == 403
    assert rewritten.ask("/main.js").status == 200
    assert " 101 " in rewritten.socket("/ws")
    check_hints(preserved, rewritten, True)


NEXT = {
    "app/layout.js": "export default function L({children}) { return <html><body>{children}</body></html> }",
    "app/page.js": """async function act() { 'use server'; const {redirect} = await import('next/navigation'); redirect('/done') }
export default function P() { return <form action={act}><button>go</button></form> }""",
    "app/done/page.js": "export default function D() { return <p>done</p> }",
}


def first_page(app):
    """The page, once it is compiled, and a script of it."""
    end = time.monotonic() + 120
    while True:
        page = app.ask().body.decode()
        if found := re.search(r'src="(/_next/[^"]+\.js[^"]*)"', page):
            return page, found[1]
        assert time.monotonic() < end, page


@pytest.mark.heavy
def test_next(start, tmp_path, tunnel):
    """Pages come, but what they load is refused under a foreign host; a server action compares hosts."""
    npm(tmp_path, "next@16", "react@19", "react-dom@19")
    for name, text in NEXT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    port = free_port()
    server = start.program(
        "node", "node_modules/next/dist/bin/next", "dev", "-p", port, cwd=tmp_path, expect_killed=True, env={"NEXT_TELEMETRY_DISABLED": "1"}
    )
    server.wait_line("Ready", 120)
    preserved, rewritten = both(tunnel, port)
    for app, status, line in ((preserved, 403, " 502 "), (rewritten, 200, " 101 ")):
        page, chunk = first_page(app)
        own = {"Origin": f"http://{app.ttf.host}", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Site": "same-origin"}
        assert app.ask(chunk, **own).status == status
        assert line in app.socket("/_next/hmr?id=x")
        action = re.search(r'name="(\$ACTION_ID_[^"]+)"', page)[1]
        form = f'--b\r\nContent-Disposition: form-data; name="{action}"\r\n\r\n\r\n--b--\r\n'.encode()
        response = app.ask("/", "POST", form, Content_Type="multipart/form-data; boundary=b", Origin=own["Origin"])
        assert (response.status, response.header("location")) == (303, "/done"), response
    check_hints(preserved, rewritten, True)
    assert any("it begins with" in line and "Unauthorized" in line for line in preserved.ttf.out)


DJANGO = """import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path
settings.configure(DEBUG=False, ALLOWED_HOSTS=ALLOWED, SECRET_KEY="x" * 50, ROOT_URLCONF=__name__,
                   MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"])
def page(request):
    return HttpResponse("saved" if request.method == "POST" else get_token(request))
def to(request):
    return HttpResponseRedirect(request.build_absolute_uri("/"))
urlpatterns = [path("", page), path("to", to)]
execute_from_command_line([sys.argv[0], "runserver", "--noreload", sys.argv[1]])"""


@pytest.mark.parametrize("hosts,status", [(["localhost"], 400), (["*"], 200)])
def test_django(start, tmp_path, tunnel, hosts, status):
    """Its check of hosts, and that of a form's origin behind a proxy that does TLS."""
    python = pip(tmp_path, "django")
    (tmp_path / "app.py").write_text(DJANGO.replace("=ALLOWED", f"={hosts}"))
    port = free_port()
    server = start.program(python, "app.py", port, cwd=tmp_path, expect_killed=True, env={"PYTHONUNBUFFERED": "1"})
    server.wait_line("Starting development server", 60)
    preserved, rewritten = both(tunnel, port)

    def save(app):
        response = app.ask(X_Forwarded_Proto="https")
        cookie = (response.header("set-cookie") or "").partition(";")[0]
        text = "csrfmiddlewaretoken=" + response.body.decode()[:64]
        origin = f"https://{app.ttf.host}"
        return app.post_form("/", text, origin, Cookie=cookie, X_Forwarded_Proto="https", Referer=origin + "/").status

    assert preserved.ask().status == status
    assert rewritten.ask("/to").header("location") == f"http://{rewritten.ttf.host}/"
    assert save(rewritten) == 200
    assert save(preserved) in (400, 403)
    check_hints(preserved, rewritten, True)


@pytest.mark.heavy
def test_jupyter(start, tmp_path, tunnel):
    """It refuses with a bare 403: only the second try tells why."""
    python = pip(tmp_path, "jupyter_server")
    port = free_port()
    server = start.program(
        python, "-m", "jupyter_server", "--no-browser", "--allow-root", "--port", port, "--IdentityProvider.token=", cwd=tmp_path, expect_killed=True,
        env={"HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    server.wait_err("is running at", 120)
    preserved, rewritten = both(tunnel, port)
    assert preserved.ask("/api").status == 403
    assert rewritten.ask("/api").status == 200
    check_hints(preserved, rewritten, True)


SPRING_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>3.3.5</version></parent>
  <groupId>t</groupId><artifactId>app</artifactId><version>1</version>
  <properties><java.version>17</java.version></properties>
  <dependencies>
    <dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-websocket</artifactId></dependency>
  </dependencies>
  <build><finalName>app</finalName><plugins>
    <plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin>
  </plugins></build>
</project>"""

SPRING = """package app;

import jakarta.servlet.http.*;
import org.springframework.boot.*;
import org.springframework.boot.autoconfigure.*;
import org.springframework.web.bind.annotation.*;
import org.springframework.web.socket.config.annotation.*;
import org.springframework.web.socket.handler.TextWebSocketHandler;

@SpringBootApplication @RestController @EnableWebSocket
public class App implements WebSocketConfigurer {
  public static void main(String[] a) { SpringApplication.run(App.class, a); }
  public void registerWebSocketHandlers(WebSocketHandlerRegistry r) { r.addHandler(new TextWebSocketHandler(), "/ws"); }
  @GetMapping("/") String url(HttpServletRequest q) { return q.getRequestURL().toString(); }
  @GetMapping("/to") void to(HttpServletResponse r) throws Exception { r.sendRedirect("/"); }
  @CrossOrigin("http://elsewhere.example") @PostMapping("/form") String form() { return "done"; }
}"""


@pytest.mark.heavy
@pytest.mark.parametrize("forwarded", ["none", "framework"])
def test_spring(start, tmp_path, tunnel, forwarded):
    """It takes any host, makes absolute URLs of it (or of X-Forwarded-Host), and lets forms and sockets through whose origin is that."""
    if not shutil.which("mvn") or not shutil.which("javac"):
        pytest.skip("no Maven or no JDK here")
    (tmp_path / "src/main/java/app").mkdir(parents=True)
    (tmp_path / "pom.xml").write_text(SPRING_POM)
    (tmp_path / "src/main/java/app/App.java").write_text(SPRING)
    done = subprocess.run(["mvn", "-q", "-B", "package"], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    port = free_port()
    words = [f"--server.port={port}", "--server.address=127.0.0.1", f"--server.forward-headers-strategy={forwarded}"]
    start.program("java", "-jar", "target/app.jar", *words, cwd=tmp_path, expect_killed=True).wait_line("Started App", 120)
    preserved, rewritten = both(tunnel, port)
    assert preserved.ask().body.decode() == f"http://{preserved.ttf.host}/"
    assert rewritten.ask().body.decode() == f"http://localhost:{port}/"
    for app in (preserved, rewritten):
        assert app.ask("/to").header("location") in (f"http://{app.ttf.host}/", "/")
        assert app.post_form("/form", "a=b").status == 200
        assert app.post_form("/form", "a=b", "http://foreign.example").status == 403
        assert " 101 " in app.socket("/ws")
    check_hints(preserved, rewritten, False)


RAILS = """require "action_controller/railtie"
class App < Rails::Application
  config.load_defaults Rails::VERSION::STRING[0, 3].to_f
  config.eager_load = false
  config.secret_key_base = "x" * 64
  config.hosts << "localhost"
  config.logger = Logger.new($stderr)
  routes.append { root to: "pages#show"; post "/" => "pages#save"; get "/to" => "pages#to" }
end
class PagesController < ActionController::Base
  protect_from_forgery with: :exception
  def show; render plain: form_authenticity_token; end
  def save; render plain: "saved"; end
  def to; redirect_to "/"; end
end
App.initialize!
run App
"""


@pytest.mark.heavy
def test_rails(start, tmp_path, tunnel):
    """Its check of hosts (in development), and that of a form's origin."""
    if not shutil.which("puma") or subprocess.run(["ruby", "-e", "require 'action_controller/railtie'"], capture_output=True).returncode:
        pytest.skip("no Rails here: apt-get install ruby-railties puma")
    (tmp_path / "config.ru").write_text(RAILS)
    port = free_port()
    server = start.program("puma", "-b", f"tcp://127.0.0.1:{port}", cwd=tmp_path, expect_killed=True, env={"RAILS_ENV": "development", "RACK_ENV": "development"})
    server.wait_line("Listening on", 60)
    preserved, rewritten = both(tunnel, port)

    def save(app):
        page = app.ask()
        cookie = (page.header("set-cookie") or "").partition(";")[0]
        return app.post_form("/", "authenticity_token=" + quote(page.body.decode(), safe=""), Cookie=cookie).status

    assert preserved.ask().status == 403
    assert rewritten.ask().status == 200
    assert rewritten.ask("/to").header("location") == f"http://{rewritten.ttf.host}/"
    assert save(rewritten) == 200
    check_hints(preserved, rewritten, True)
