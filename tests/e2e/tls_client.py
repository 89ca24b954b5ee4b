"""Certificates of the test's own, and connections over TLS to the ports that have it."""

import socket
import ssl

import http_raw
from relay import make_authority, make_certificate, openssl

DOMAIN = "tunnel.example"


class Authority:
    """Makes certificates in a folder; clients trust it."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.folder, self.ca = folder, make_authority(folder)

    def certificate(self, name="server", subject=f"DNS:{DOMAIN},DNS:*.{DOMAIN},DNS:localhost,IP:127.0.0.1"):
        return make_certificate(self.folder, name, subject)

    def context(self, *protocols):
        context = ssl.create_default_context(cafile=self.ca)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def tls_options(*pairs, agents=True):
    """What a gateway is told: `pairs` of (certificate, key)."""
    certificates, keys = zip(*pairs)
    ports = ("--public-tls-listen", "127.0.0.1:0", *(("--agent-tls-listen", "127.0.0.1:0") if agents else ()))
    return (*ports, "--tls-cert", ",".join(map(str, certificates)), "--tls-key", ",".join(map(str, keys)))


def address_of(gateway, what="Public: +https"):
    """Of the port with TLS. Visitors come to the one in front, where there are two."""
    program = getattr(gateway, "front", gateway) if what.startswith("Public") else gateway
    host, _, port = program.wait_line(rf"^{what}://(\S+)")[1].rpartition(":")
    return host, int(port)


class TlsConnection(http_raw.Connection):
    """http_raw's, over TLS. `before` is sent in front of it."""

    def __init__(self, address, context, name=DOMAIN, before=b"", session=None, source=None, timeout=http_raw.DEADLINE):
        self.timeout, self.buffer = timeout, b""
        plain = socket.create_connection(address, timeout=timeout, source_address=source and (source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if before:
            plain.sendall(before)
        self.socket = context.wrap_socket(plain, server_hostname=name, session=session, suppress_ragged_eofs=False)

    def get(self, host, target="/", **more):
        self.send(http_raw.build(target=target, host=host, **more))
        return self.read_response()


__all__ = ["DOMAIN", "Authority", "TlsConnection", "address_of", "openssl", "tls_options"]
