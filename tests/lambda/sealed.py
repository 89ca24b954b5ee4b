"""A place with nothing of this machine's: an empty root for the packaged function, names from a DNS server of our own, and
AWS's services behind TLS with a CA that nobody else knows. What runs there uses no address that it was not given by name.

Ports 53 and 443 and chroot want root; the addresses are 127.x.y.z of each place's own, so that places do not meet."""

import os
import random
import socket
import ssl
import struct
import subprocess
import threading
import zipfile
from pathlib import Path

from world import Server

ROOT = Path(__file__).resolve().parents[2]
DYNAMODB = "dynamodb.us-east-1.amazonaws.com"
API = "abcd1234.execute-api.us-east-1.amazonaws.com"


def package(architecture):
    names = {"x86_64": "handler.zip", "aarch64": "handler-arm64.zip"}
    return Path(os.environ.get("TTF_PACKAGES", ROOT / "build/lambda")) / names[architecture]


def unpack(archive, folder):
    """The program, as Lambda would have it."""
    with zipfile.ZipFile(archive) as opened:
        opened.extract("bootstrap", folder)
        (folder / "bootstrap").chmod(opened.getinfo("bootstrap").external_attr >> 16 & 0o777)
    return folder / "bootstrap"


class Names:
    """A DNS server that has one address for every name, and no IPv6."""

    def __init__(self, address):
        self.address, self.asked = address, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(512)
            if not query:
                return
            end = query.index(0, 12) + 5  # of the question: a name, its type and class
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
            self.asked.append(".".join(labels))
            answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(self.address) if kind == 1 else b""
            head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if answer else 0, 0, 0)
            self.socket.sendto(head + query[12:end] + answer, client)

    def stop(self):
        self.socket.sendto(b"", (self.address, 53))


def make_certificates(folder, names):
    """ca.pem and server.pem"""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-subj", "/CN=a CA of the tests", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "names",
            "-out", "server.crt")  # fmt: skip
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())


class Sealed:
    def __init__(self, folder, archive, services, upgrade=None, authorities=b"", names=(DYNAMODB, API)):
        """`services`: {host name: handler}, these and `upgrade` as of world.Server. `authorities`: more of them in the CA
        file. `names`: those of the server's certificate."""
        address = "127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(256), random.randrange(1, 255))
        self.services = services
        self.root = folder / "root"
        make_certificates(folder, names)
        unpack(archive, self.root)
        bundle = self.root / "etc/pki/tls/certs/ca-bundle.crt"  # where Amazon Linux has it
        bundle.parent.mkdir(parents=True)
        bundle.write_bytes(authorities + (folder / "ca.pem").read_bytes())
        (self.root / "etc/resolv.conf").write_text(f"nameserver {address}\n")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "server.pem")
        self.names = Names(address)
        self.server = Server(self.handle, upgrade, (address, 443), tls)
        self.command = ["chroot", str(self.root), "/bootstrap"]
        self.environment = {"AWS_ENDPOINT_URL_DYNAMODB": None, "WEBSOCKET_API_ENDPOINT": f"wss://{API}/dev"}

    def handle(self, method, path, headers, body):
        return self.services[headers["Host"]](method, path, headers, body)

    def stop(self):
        self.server.stop()
        self.names.stop()
