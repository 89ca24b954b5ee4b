"""A relay between ttf and a gateway that a test can cut, block, or dress in TLS. As a program it delays what it passes on, in
each direction, by so many milliseconds:

    /usr/bin/python3 tests/e2e/relay.py PORT 25
"""

import collections
import socket
import ssl
import subprocess
import threading
import time


PACED_BYTES = 8192


class Relay:
    """Listens on a port of its own and passes bytes to `target`. With `tls` (certificate file, key file) it speaks TLS to
    those who connect. With `keep`, what has passed stays in `up` (to the target) and `down`. `before`
    goes to the target first, and `source` is the address that it sees. `swap`: two texts of one length; the
    second goes to the target for the first. `pace`: bytes a second that the line to the target takes."""

    def __init__(self, target, tls=None, port=0, keep=False, before=b"", source=None, swap=None, pace=None):
        self.target, self.before, self.source, self.swap = target, before, source and (source, 0), swap
        self.up, self.down = (bytearray(), bytearray()) if keep or swap else (None, None)
        self.pace, self.context = pace, None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        self.lock = threading.Lock()
        self.sockets, self.deaf = set(), set()
        self.refusing = False
        self.accepted = 0
        self.stopped = False
        self.socket = socket.create_server(("127.0.0.1", port))
        if pace:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PACED_BYTES)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends all connections there are; new ones may come."""
        with self.lock:
            sockets = list(self.sockets)
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def refuse(self, refusing=True):
        """While refusing, whoever connects is closed at once."""
        self.refusing = refusing
        if refusing:
            self.cut()

    def stop(self):
        self.stopped = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        except OSError:
            pass
        self.socket.close()
        self.cut()

    def _accept(self):
        while not self.stopped:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self.accepted += 1
        if self.refusing:
            client.close()
            return
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(self.target, source_address=self.source)
            server.sendall(self.before)
        except OSError:
            client.close()
            return
        with self.lock:
            self.sockets |= {client, server}
        back = threading.Thread(target=self._pump, args=(server, client, self.down), daemon=True)
        back.start()
        self._pump(client, server, self.up, self.pace)
        back.join()
        with self.lock:
            self.sockets -= {client, server}
        client.close()
        server.close()

    def swallow(self):
        """The connections there are pass nothing on any more, not even their end; new ones do."""
        with self.lock:
            self.deaf |= self.sockets

    def _pump(self, source, sink, kept, pace=None):
        try:
            while data := source.recv(PACED_BYTES if pace else 65536):
                if pace:
                    time.sleep(len(data) / pace)
                if source in self.deaf:
                    continue
                if kept is not None:
                    kept += data
                sink.sendall(data.replace(*self.swap) if self.swap and kept is self.up else data)
        except (OSError, ValueError):
            pass
        for one in () if source in self.deaf and not self.stopped else (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Delayed:
    """One direction: what comes is passed on `seconds` later, however much of it is under way."""

    def __init__(self, source, sink, seconds):
        self.source, self.sink, self.seconds = source, sink, seconds
        self.waiting, self.bytes = collections.deque(), 0
        self.changed = threading.Condition()
        for target in (self._read, self._write):
            threading.Thread(target=target, daemon=True).start()

    def _read(self):
        data = b"?"
        while data:
            try:
                data = self.source.recv(1 << 20)
            except OSError:
                data = b""
            with self.changed:
                self.changed.wait_for(lambda: self.bytes < 64 << 20)
                self.waiting.append((time.monotonic() + self.seconds, data))
                self.bytes += len(data)
                self.changed.notify_all()

    def _write(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.waiting)
                due, data = self.waiting.popleft()
                self.bytes -= len(data)
                self.changed.notify_all()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if data:
                    self.sink.sendall(data)
                    continue
            except OSError:
                pass
            for one in (self.source, self.sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            return


def delay(target, seconds):
    """Never returns."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"port {listener.getsockname()[1]}", flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(target)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Delayed(client, server, seconds)
        Delayed(server, client, seconds)


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


def make_authority(folder):
    """A certificate authority of the test's own: ca.pem and ca.key in that folder."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem", cwd=folder)  # fmt: skip
    return folder / "ca.pem"


def make_certificate(folder, name, subject):
    """A certificate by that authority for `subject` ("DNS:localhost,IP:127.0.0.1"; "": its name only as CN). Returns
    (certificate, key)."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", cwd=folder)  # fmt: skip
    (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\n" if subject else "basicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem", cwd=folder)  # fmt: skip
    return folder / f"{name}.pem", folder / f"{name}.key"


if __name__ == "__main__":
    import signal
    import sys

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    delay(("127.0.0.1", int(sys.argv[1])), float(sys.argv[2]) / 1000)
