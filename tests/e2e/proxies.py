"""Proxies as tests want them: CONNECT and SOCKS5, with or without a user, that send every connection to one target whatever
name they are asked for. So a gateway that bears an invented name is reached through them alone."""

import base64
import socket
import threading


class Proxy:
    """Listens on a port of its own. `asked` are the hosts that were asked for. With `user`, "name:password" is wanted.
    `answer`: bytes that it says in place of anything sensible."""

    def __init__(self, target, user=None, answer=None):
        self.target, self.user, self.answer = target, user, answer
        self.asked = []
        self.sockets = set()
        self.passed = bytearray()  # what came to the target
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        for one in [self.socket, *self.sockets]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.sockets.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self.answer is not None:
                client.recv(65536)
                client.sendall(self.answer)
                while client.recv(65536):
                    pass
            elif self._agree(client):
                self._pass_on(client)
        except OSError:
            pass
        finally:
            client.close()

    def _pass_on(self, client):
        target = socket.create_connection(self.target)
        self.sockets.add(target)
        threading.Thread(target=self._pump, args=(target, client), daemon=True).start()
        self._pump(client, target, self.passed)

    def _pump(self, source, sink, keep=None):
        try:
            while data := source.recv(65536):
                if keep is not None:
                    keep += data
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class HttpProxy(Proxy):
    def _agree(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1)
        line, *fields = head.decode().split("\r\n")
        self.asked.append(line)
        wanted = self.user and "Basic " + base64.b64encode(self.user.encode()).decode()
        if wanted and f"Proxy-Authorization: {wanted}" not in fields:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
            return False
        client.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: test\r\n\r\n")
        return True


class SocksProxy(Proxy):
    @staticmethod
    def _exactly(client, count):
        data = b""
        while len(data) < count:
            more = client.recv(count - len(data))
            if not more:
                raise OSError("it has gone")
            data += more
        return data

    def _agree(self, client):
        _, count = self._exactly(client, 2)
        methods = self._exactly(client, count)
        method = 2 if self.user else 0
        if method not in methods:
            client.sendall(b"\x05\xff")
            return False
        client.sendall(bytes([5, method]))
        if self.user:
            name = self._exactly(client, self._exactly(client, 2)[1])
            password = self._exactly(client, self._exactly(client, 1)[0])
            right = f"{name.decode()}:{password.decode()}" == self.user
            client.sendall(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return False
        _, _, _, kind = self._exactly(client, 4)
        host = self._exactly(client, {1: 4, 4: 16}.get(kind) or self._exactly(client, 1)[0])
        port = int.from_bytes(self._exactly(client, 2), "big")
        self.asked.append(f"{host.decode() if kind == 3 else host.hex()}:{port}")
        client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x01")
        return True
