"""Real applications from their registries, under a prefix, in a browser: what the tests in test_apps_*.py share.

`TTF_APPS=1` runs those that npm and pip give in a minute, `TTF_APPS=all` the heavy ones too (`./dev test apps`). What is
installed stays in build/apps for the next run."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

import http_raw
from browser import Page, needs_chromium
from programs import ROOT, SLOW, free_port

FOLDER = ROOT / "build/apps"

marks = [
    needs_chromium,
    pytest.mark.apps,
    pytest.mark.timeout(900),
]


def _installed(kind, packages, install):
    """A folder for these packages, filled once."""
    name = f"{kind}-{packages[0].strip('@').replace('/', '-')}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:8]}"
    folder = FOLDER / name
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            (folder / "installed").touch()
    return folder


def _run(*command, cwd, seconds=800, **more):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def npm(folder, *packages, **project):
    """Makes `folder` a project that has these packages; `project` are further fields of package.json."""
    if not shutil.which("npm"):
        pytest.skip("no npm here")

    def install(where):
        (where / "package.json").write_text(json.dumps({"private": True, **project}))
        _run("npm", "install", "--no-audit", "--no-fund", *packages, cwd=where)

    where = _installed("npm", (*packages, *([json.dumps(project)] if project else [])), install)
    folder.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["cp", "-al", where / "node_modules", folder], capture_output=True).returncode:  # another disk
        shutil.copytree(where / "node_modules", folder / "node_modules", symlinks=True, dirs_exist_ok=True)
    shutil.copy(where / "package.json", folder)


def pip(*packages):
    """The folder of programs of an environment that has these packages."""

    def install(where):
        _run(sys.executable, "-m", "venv", where / "venv", cwd=where)
        _run(where / "venv/bin/pip", "install", "-q", *packages, cwd=where)

    return _installed("pip", packages, install) / "venv/bin"


def go(package, version):
    """The folder of the program that Go makes of it. That takes minutes."""
    if not shutil.which("go"):
        pytest.skip("no go here")

    def install(where):
        _run("go", "install", f"{package}@{version}", cwd=where, seconds=2000, env={**os.environ, "GOBIN": str(where / "bin")})

    return _installed("go", (f"{package}@{version}",), install) / "bin"


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def serve(start, *command, seconds=120, **more):
    """Starts it with PORT in place of a port, and waits until it listens there."""
    port = free_port()
    command = [str(port) if word == "PORT" else str(word).replace("{port}", str(port)) for word in command]
    program = start.program(*command, expect_killed=True, **more)
    end = time.monotonic() + seconds * SLOW
    while not listens(port):
        assert program.process.poll() is None and time.monotonic() < end, program.dump()
        time.sleep(0.05)
    return port


def listens(port):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            if probe.connect_ex((host, port)) == 0:
                return True
    return False


class Site:
    """An application in path mode, with a browser before it."""

    def __init__(self, start, folder, port, *options):
        self.port = port
        self.gateway = start.gateway()
        self.ttf = start.forwarder(self.gateway, port, *options)
        self._stands_at(f"http://localhost:{self.gateway.address[1]}/{self.ttf.tunnel_id}", folder)

    def _stands_at(self, url, folder):
        parts = urlsplit(url)
        self.url, self.origin, self.prefix = url, parts.netloc, parts.path
        self.page = Page(folder / "browser")

    def __enter__(self):
        self.page.start()
        self.page.watch()
        return self

    def __exit__(self, *_):
        self.page.__exit__()

    # in the browser

    def open(self, path="/"):
        self.page.open(self.url + path)

    def wait(self, expression, seconds=60):
        try:
            return self.page.wait(expression, seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\nproblems: {self.page.problems()}\nstrays: {self.strays()}") from None

    def text(self, words, seconds=60):
        return self.wait(f"document.body && document.body.innerText.includes({words!r})", seconds)

    def click(self, selector):
        self.wait(f"!!document.querySelector({selector!r})")
        self.page.evaluate(f"document.querySelector({selector!r}).click()")

    def fill(self, **fields):
        for name, value in fields.items():
            self.wait(f"!!document.querySelector('[name={name}]')")
            self.page.evaluate(f"document.querySelector('[name={name}]').value = {value!r}")

    def path(self):
        """Of the page, without the prefix, which it must have (a moment later: page_script.js)."""
        path = self.wait(f"location.pathname.startsWith('{self.prefix}/') && location.pathname", 10)
        return path[len(self.prefix) :]

    def at(self, path, seconds=60):
        self.wait(f"location.pathname === {self.prefix + path!r}", seconds)

    def strays(self):
        """URLs of this origin that the browser asked for without the prefix."""
        urls = [
            event["params"]["request"]["url"]
            for event in list(self.page._events)
            if event["method"] == "Network.requestWillBeSent" and "redirectResponse" not in event["params"]
        ]
        return [url for url in urls if urlsplit(url).netloc == self.origin and not urlsplit(url).path.startswith(self.prefix + "/")]

    def clean(self, known=(), strays=()):
        """Nothing has gone wrong, but for what is known of the application itself; and nothing has missed the prefix, but for
        what is named, and the icon that browsers ask for where a page names none."""
        problems = [text for text in self.page.problems() if not any(part in text for part in (*known, "/favicon.ico"))]
        missed = [url for url in self.strays() if not any(part in url for part in (*strays, "/favicon.ico"))]
        assert not problems and not missed, f"problems: {problems}\nmissed: {missed}"

    # beside it

    def ask(self, path="/", method="GET", subdomain=False, headers=(), body=b""):
        host, prefix = (self.ttf.host, "") if subdomain else (self.origin, self.prefix)
        return http_raw.request(self.gateway.address, method, prefix + path, host, headers=list(headers), body=body)

    def same(self, *paths, headers=(), random=b"(?!)"):
        """In subdomain mode the application's own bytes arrive, and no page has a script of ours. What the application makes anew
        for each answer matches `random`."""
        address = ("127.0.0.1" if listens_v4(self.port) else "::1", self.port)
        for path in paths:
            own = http_raw.request(address, "GET", path, self.ttf.host, headers=list(headers))
            got = self.ask(path, subdomain=True, headers=headers)
            assert (got.status, re.sub(random, b"", got.body)) == (own.status, re.sub(random, b"", own.body)), path
            assert own.status < 400, own
            assert got.header("x-tunnel-rewrite-applied") is None and b"__TUNNEL_CONTEXT__" not in got.body


class StageSite(Site):
    """The same on AWS, behind a stage that stands in the path."""

    def __init__(self, start, folder, port):
        self.port = port
        self.gateway = start.gateway("--api-stage", "dev", "--api-custom-domain", "false")
        self.ttf = start.forwarder(self.gateway.endpoint + "/dev", port)
        self._stands_at(self.ttf.url, folder)


def listens_v4(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _sites(kind, start, tmp_path):
    sites = []

    def make(port, *options):
        sites.append(kind(start, tmp_path, port, *options).__enter__())
        return sites[-1]

    yield make
    for one in sites:
        one.__exit__()


@pytest.fixture
def site(start, tmp_path):
    """site(port, *ttf_options): a Site."""
    yield from _sites(Site, start, tmp_path)


@pytest.fixture
def stage_site(start, tmp_path):
    """stage_site(port): a StageSite."""
    yield from _sites(StageSite, start, tmp_path)
