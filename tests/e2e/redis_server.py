"""Redis servers of the tests' own, on unix sockets."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")


class Redis:
    """redis-server in a folder of its own, with nothing on disk. It may be killed and started again, empty."""

    def __init__(self, *options):
        assert PROGRAM, "redis-server is not installed (./dev test installs it)"
        self.folder = Path(tempfile.mkdtemp(prefix="ttf-redis-"))
        self.socket = self.folder / "socket"
        self.options = [str(option) for option in options]
        self.databases = 0
        self.process = None
        self.start()

    def start(self, wait=True):
        self.process = subprocess.Popen(
            [PROGRAM, "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no", "--dir", self.folder,
             "--databases", "1024", "--loglevel", "warning", *self.options],
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 60
        while wait:
            try:
                return self.connect().close()
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, "redis-server does not start"
                time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database=0, credentials=""):
        return f"redis+unix://{credentials}{self.socket}?db={database}"

    def new_database(self):
        self.databases += 1
        return self.url(self.databases)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self.socket))
        return connection

    def ask(self, *words, database=0):
        """One command; the reply as text, number, list or None. An error is raised."""
        with self.connect() as connection:
            stream = connection.makefile("rwb")
            for command in (["SELECT", database], words):
                stream.write(encode(command))
                stream.flush()
                reply = read_reply(stream)
            return reply


class Monitor:
    """What Redis is asked to do from now on, by MONITOR."""

    def __init__(self, redis):
        self.connection = redis.connect()
        self.stream = self.connection.makefile("rwb")
        self.stream.write(encode(["MONITOR"]))
        self.stream.flush()
        assert read_reply(self.stream) == "OK"
        self.redis = redis

    def commands(self):
        """All that came until now: a mark is set, and read up to. The scripts' own calls (lua) are left out."""
        mark = f"mark-{os.urandom(8).hex()}"
        self.redis.ask("ECHO", mark)
        lines = []
        while mark not in (line := read_reply(self.stream)):
            if " lua]" not in line and '"SELECT"' not in line:
                lines.append(line)
        return lines

    def close(self):
        self.connection.close()


def encode(words):
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def read_reply(stream):
    line = stream.readline()
    assert line, "Redis has closed the connection"
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise RuntimeError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else stream.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
    assert kind == b"*", line
    return [read_reply(stream) for _ in range(int(rest))]
