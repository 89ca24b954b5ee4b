"""What nginx takes for requests: one process of it, on a socket in a folder of its own. It answers after it has read the body,
for which it hands the request on (to itself), and a line of its log says what it took it for. Each input is a connection, whose
end the client says, so that nginx waits for nothing; its other log tells whether it would have waited.

nginx is stricter than we are in what HTTP leaves to it (methods in lower case, `..` above the root, CONNECT, a body of HTTP/1.0
in chunks), and that says nothing: a refusal ends the connection. Elsewhere it is laxer (LF alone ends a line, HTTP/0.9), and then
we refuse. Of a target in absolute form it tells what stands behind the authority: `same_target` knows that.
"""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from request import Request

SETTINGS = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    log_format taken escape=json
        '{{"method":"$request_method","target":"$request_uri","status":$status,"host":"$http_host",'
        '"length":"$http_content_length","coding":"$http_transfer_encoding","body":"$request_body"}}';
    client_body_buffer_size 128k;
    client_body_in_single_buffer on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    lingering_close off;
    server {{
        listen unix:{folder}/front;
        access_log {folder}/taken taken;
        location / {{
            proxy_pass http://unix:{folder}/back:/;
            proxy_method POST;
            proxy_pass_request_headers off;
            proxy_set_header Host back;
            proxy_ignore_client_abort on;
        }}
    }}
    server {{
        listen unix:{folder}/back;
        access_log off;
        return 200;
    }}
}}
"""
READY_S = 60
ANSWERED_S = 60
# Of a head that ends too soon it says "... connection while reading client request ...".
IN_BODY = {b"client prematurely closed connection, ": "part", b"client sent invalid chunked body": "cut"}
FIELDS = {b"host": "host", b"content-length": "length", b"transfer-encoding": "coding"}


def program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def requests(lines: list[dict], errors: bytes) -> list[Request]:
    """Those up to the first that was refused; that one, too, if it was while its body was read, or awaited."""
    taken: list[Request] = []
    for line in lines:
        fields = [(name, line[key].encode("latin-1")) for name, key in FIELDS.items() if line[key]]
        one = Request(line["method"].encode("latin-1"), line["target"].encode("latin-1"), fields, line["body"].encode("latin-1"))
        if line["status"] != 200:
            one.state = next((state for said, state in IN_BODY.items() if said in errors), "")
            return [*taken, one] if one.state else taken
        one.state = "whole"
        taken.append(one)
    return taken


def same_target(ours: bytes, theirs: bytes) -> bool:
    """What nginx tells of `http://a/b` is `/b`, and of `http://a` is `/`."""
    if ours == theirs:
        return True
    behind = re.sub(rb"^(?i:https?)://[^/?#]*", b"", ours)
    return behind != ours and theirs in (behind, b"/" + behind)


def differs(ours: Request, theirs: Request) -> str:
    """Of a request that both took: what decides; "": nothing."""
    if ours.method != theirs.method or not same_target(ours.target, theirs.target):
        return f"{ours.method} {ours.target}, {theirs.method} {theirs.target}"
    for name in FIELDS:
        if ours.values(name)[:1] != theirs.values(name) and ours.values(name) != [b""]:
            return f"{name}: {ours.values(name)}, {theirs.values(name)}"
    return ""


class Nginx:
    name = "nginx"
    differs = staticmethod(differs)

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ttf-nginx-"))
        (self.folder / "nginx.conf").write_text(SETTINGS.format(folder=self.folder))
        for name in ("taken", "error.log"):
            (self.folder / name).touch()
        self.taken, self.errors = (self.folder / "taken").open("rb"), (self.folder / "error.log").open("rb")
        self.process = subprocess.Popen([program() or "nginx", "-p", self.folder, "-c", "nginx.conf", "-e", self.folder / "error.log"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    def wait_ready(self) -> None:
        until = time.monotonic() + READY_S
        while True:
            try:
                self.connect().close()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"nginx does not start: {(self.folder / 'error.log').read_text()}") from error
                time.sleep(0.01)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(ANSWERED_S)
        client.connect(str(self.folder / "front"))
        return client

    def send(self, data: bytes) -> None:
        """And wait for the end of what is answered: by then all is in the logs. nginx may close before it has read all."""
        with self.connect() as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass

    def read(self, data: bytes) -> list[Request]:
        self.send(data)
        lines = self.taken.read().decode("latin-1").split("\n")[:-1]
        return requests([json.loads(line) for line in lines], self.errors.read())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.taken.close()
        self.errors.close()
        shutil.rmtree(self.folder)
