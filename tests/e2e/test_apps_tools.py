"""Programs that are no browsers, and a PHP login, under a prefix."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

import apps
from apps import serve, site, write  # noqa: F401

pytestmark = apps.marks


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program} here")


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ---- git over HTTP, by its own CGI program ----

GIT_SERVER = """import http.server, os, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def body(self):
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data
    def do(self):
        path, _, query = self.path.partition("?")
        env = {**os.environ, "GIT_PROJECT_ROOT": os.getcwd(), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
               "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("content-type", ""), "REMOTE_USER": "x",
               "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""), "GIT_PROTOCOL": self.headers.get("git-protocol", "")}
        out = subprocess.run(["git", "http-backend"], input=self.body(), capture_output=True, env=env).stdout
        head, _, body = out.partition(b"\\r\\n\\r\\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\\r\\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for field in fields.items(): self.send_header(*field)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_git(start, site, tmp_path):
    need("git")
    root = tmp_path / "root"
    write(root, {"server.py": GIT_SERVER})
    run("git", "init", "-q", "--bare", root / "one.git")
    run("git", "-C", root / "one.git", "config", "http.receivepack", "true")
    tunnel = site(serve(start, "/usr/bin/python3", "server.py", "PORT", cwd=root))
    env = {**os.environ, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", **{f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}  # fmt: skip
    work = tmp_path / "work"
    run("git", "init", "-q", "-b", "main", work, env=env)
    (work / "file").write_bytes(os.urandom(3_000_000))
    for command in (["add", "."], ["commit", "-qm", "one"], ["push", "-q", tunnel.url + "/one.git", "main"]):
        run("git", "-C", work, *command, env=env)
    run("git", "clone", "-q", "-b", "main", tunnel.url + "/one.git", tmp_path / "clone", env=env)
    assert (tmp_path / "clone/file").read_bytes() == (work / "file").read_bytes()
    tunnel.same("/one.git/info/refs?service=git-upload-pack")


# ---- rclone: WebDAV's href and Destination ----


def test_rclone_over_webdav(start, site, tmp_path):
    need("rclone")
    served, local = tmp_path / "served", tmp_path / "local"
    write(local, {"a.txt": "a" * 1000, "deep/b c.txt": "b", "deep/ü.txt": "c"})
    served.mkdir()
    env = {**os.environ, "RCLONE_CONFIG": str(tmp_path / "none")}
    dav = site(serve(start, "rclone", "serve", "webdav", served, "--addr", "127.0.0.1:{port}", env=env))
    remote = f":webdav,url='{dav.url}':"
    run("rclone", "copy", local, remote, env=env)
    run("rclone", "check", local, remote, "--download", env=env)
    listed = json.loads(run("rclone", "lsjson", "-R", remote, env=env))
    assert sorted(entry["Path"] for entry in listed) == ["a.txt", "deep", "deep/b c.txt", "deep/ü.txt"]
    run("rclone", "moveto", remote + "a.txt", remote + "deep/moved.txt", env=env)
    assert (served / "deep/moved.txt").read_text() == "a" * 1000 and not (served / "a.txt").exists()
    run("rclone", "deletefile", remote + "deep/b c.txt", env=env)
    assert not (served / "deep/b c.txt").exists()
    dav.same("/deep/moved.txt", "/deep/")


# ---- a login in PHP that makes absolute URLs ----

PHP = """<?php
session_start();
$here = 'http://' . $_SERVER['HTTP_HOST'];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/login.php' && $_SERVER['REQUEST_METHOD'] === 'POST') { $_SESSION['user'] = $_POST['user']; header("Location: $here/home.php"); exit; }
if ($path === '/logout.php') { session_destroy(); header("Location: $here/login.php"); exit; }
if ($path !== '/login.php' && empty($_SESSION['user'])) { header("Location: $here/login.php?to=" . urlencode($path)); exit; }
?><!doctype html><html><head><link rel="icon" href="data:,"><script>var settings = <?= json_encode(['ajax' => "$here/ajax.php"]) ?>;</script></head><body>
<?php if ($path === '/login.php'): ?><form method="post" action="<?= $here ?>/login.php"><input name="user"><button id="in">in</button></form>
<?php else: ?><p>Hello <?= htmlspecialchars($_SESSION['user']) ?></p><p id="ajax"></p><a id="out" href="<?= $here ?>/logout.php">out</a>
<script>fetch(settings.ajax).then(r => r.text()).then(t => document.querySelector('#ajax').textContent = t.length > 0 ? 'asked' : '')</script>
<?php endif ?></body></html>
"""


def test_php_login(start, site, tmp_path):
    need("php")
    write(tmp_path / "app", {"index.php": PHP})
    php = site(serve(start, "php", "-S", "127.0.0.1:{port}", "index.php", cwd=tmp_path / "app"))
    php.open("/secret.php")
    php.at("/login.php")
    php.fill(user="alice")
    php.click("#in")
    php.text("Hello alice")
    php.text("asked")
    assert php.path() == "/home.php"
    php.click("#out")
    php.at("/login.php")
    php.clean()
    php.same("/login.php")


# ---- a registry of images: Location on POST, PATCH and PUT ----


def test_docker_registry(start, site, tmp_path):
    need("docker-registry")
    write(tmp_path, {"config.yml": f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path}/data\nhttp:\n  addr: 127.0.0.1:0\n"})
    registry = site(serve(start, "env", "REGISTRY_HTTP_ADDR=127.0.0.1:{port}", "docker-registry", "serve", tmp_path / "config.yml"))
    begun = registry.ask("/v2/one/blobs/uploads/", "POST")
    location = begun.header("location")
    assert begun.status == 202 and f"{registry.prefix}/v2/one/blobs/uploads/" in location
    path = location[location.index(registry.prefix) + len(registry.prefix) :]
    sent = registry.ask(path, "PATCH", headers=[("Content-Type", "application/octet-stream")], body=b"x" * 100_000)
    assert sent.status == 202
    path = sent.header("location")
    path = path[path.index(registry.prefix) + len(registry.prefix) :]
    digest = "sha256:" + hashlib.sha256(b"x" * 100_000).hexdigest()
    done = registry.ask(path + f"&digest={digest}", "PUT")
    assert done.status == 201 and done.header("location").endswith(f"{registry.prefix}/v2/one/blobs/{digest}")
    assert registry.ask(f"/v2/one/blobs/{digest}").body == b"x" * 100_000
    registry.same("/v2/", f"/v2/one/blobs/{digest}")
