"""Starts the real programs, waits for their lines, and looks at how they end."""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/lambda"))

from ports import free_port, reserve  # noqa: E402

BIN = Path(os.environ.get("TTF_BIN", ROOT / "build" / "bin"))
SLOW = 4 if os.environ.get("TTF_SLOW") else 1  # sanitizers: the same deadlines, stretched
END_SECONDS = 45  # for a program to end: it tells one that hangs from one that has little of a busy machine, nothing finer

SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "AddressSanitizer:DEADLYSIGNAL")


def bytes_in(pipe):
    size = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return int.from_bytes(size, sys.byteorder)


def blocks(pipe, reads, taking):
    """The lines of what comes at once, and its bytes. `taking` is held from the read on until the next one is waited for."""
    rest, poll, block = b"", select.poll(), b"-"
    poll.register(pipe, select.POLLIN)
    while block:
        poll.poll()
        reads.wait()
        with taking:
            block = os.read(pipe.fileno(), 65536)
            *lines, rest = (rest + block).split(b"\n")
            yield lines if block or not rest else [rest], len(block)


class Program:
    """A process whose lines on stdout and stderr can be waited for."""

    def __init__(self, arguments, env=None, cwd=None, expect_killed=False):
        self.arguments = [str(a) for a in arguments]
        self.expect_killed = expect_killed
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TTF_", "XDG_"))} | {"TTF_INSPECT": "off"}
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=98")
        environment.update(env or {})
        environment = {name: value for name, value in environment.items() if value is not None}
        self.process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
        )
        self.out, self.err = [], []
        self.changed = threading.Condition()
        self.reads_out, self.reads_err = threading.Event(), threading.Event()  # cleared: nobody reads that output
        self.reads_out.set()
        self.reads_err.set()
        self.taken, self.taking = 0, threading.Lock()  # bytes of stderr that stand in `err` by now
        self.readers = [threading.Thread(target=read, daemon=True) for read in (self._read_err, self._read_out)]
        for reader in self.readers:
            reader.start()

    def _read_out(self):
        """Who sees a line of stdout finds in `err` what stood on stderr before it. (ttf writes each by a thread of its own: wait_err().)"""
        for lines, _ in blocks(self.process.stdout, self.reads_out, threading.Lock()):
            self._catch_up()
            self._add(self.out, lines)

    def _read_err(self):
        for lines, size in blocks(self.process.stderr, self.reads_err, self.taking):
            self._add(self.err, lines, size)

    def _add(self, to, lines, size=0):
        with self.changed:
            to += [line.decode("utf-8", "replace") for line in lines]
            self.taken += size
            self.changed.notify_all()

    def _catch_up(self):
        with self.taking:  # nothing is taken from the pipe and not in `err` yet
            goal = self.taken + bytes_in(self.process.stderr)
        with self.changed:
            while self.taken < goal and self.reads_err.is_set() and self.readers[0].is_alive():
                self.changed.wait(0.1)

    @property
    def pid(self):
        return self.process.pid

    def wait_line(self, pattern, seconds=60, after=0, stream=None):
        """The match of the first line at or behind index `after` (of stdout) that has the pattern."""
        return self._wait(pattern, seconds, after, self.out if stream is None else stream)

    def wait_err(self, pattern, seconds=60, after=0):
        return self._wait(pattern, seconds, after, self.err)

    def _wait(self, pattern, seconds, after, lines):
        end = time.monotonic() + seconds * SLOW
        with self.changed:
            while True:
                for line in lines[after:]:
                    if found := re.search(pattern, line):
                        return found
                left = end - time.monotonic()
                ended = self.process.poll() is not None and not any(r.is_alive() for r in self.readers)
                if left <= 0 or ended:
                    raise AssertionError(f"no line {pattern!r}{' before it ended' if ended else ''}:\n{self.dump()}")
                self.changed.wait(min(left, 0.2))

    def dump(self):
        return "\n".join(
            [f"$ {' '.join(self.arguments)}  -> {self.process.poll()}"]
            + ["  out| " + line for line in self.out[-60:]]
            + ["  err| " + line for line in self.err[-120:]]
        )

    def wait_exit(self, seconds=END_SECONDS):
        try:
            code = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.dump()}") from None
        for reader in self.readers:
            reader.join(10)
        return code

    def wait_exit_of_process(self, seconds=END_SECONDS):
        """As wait_exit(), where children of its may still write: did it end well?"""
        return self.process.wait(seconds * SLOW) == 0

    def stop(self, number=signal.SIGTERM, seconds=END_SECONDS):
        """Asks it to end and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait_exit(seconds)

    def kill(self):
        """SIGKILL: no farewell, no exit code to look at."""
        self.expect_killed = True
        self.process.kill()
        self.wait_exit()

    def check(self):
        """Fails on a sanitizer's report, and on an end that was not a clean one."""
        for line in self.err:
            for report in SANITIZER_REPORTS:
                assert report not in line, f"sanitizer report:\n{self.dump()}"

    def finish(self):
        """Ends it if it still runs; all that a test owes it at the end."""
        code = self.process.poll()
        if code is None:
            code = self.stop()
        else:
            self.wait_exit()
        self.check()
        if not self.expect_killed:
            assert code == 0, f"ended with {code}:\n{self.dump()}"

    def rss_kib(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0


def free_ports():
    """For a gateway that is started again where it was: a port that the kernel chose may be another's by then."""
    return free_port(), free_port(), free_port()


@contextlib.contextmanager
def alone_with(name):
    """What tests share that no process can have for itself (the inspector's own ports) one of them uses at a time."""
    while not (held := reserve(name)):
        time.sleep(0.05)
    with held:
        yield


class Gateway(Program):
    program, keeps_state = "ttf-gateway", True

    def __init__(self, state_dir, *options, ports=(0, 0, 0), env=None):
        public, agent, admin = (p if isinstance(p, str) else f"127.0.0.1:{p}" for p in ports)
        super().__init__(
            [BIN / self.program, "--public-listen", public, "--agent-listen", agent, "--admin-listen", admin,
             *(("--state-dir", state_dir) if self.keeps_state else ()), *options],
            env=env,
        )  # fmt: skip
        self.wait_line(r"^Ready\b")
        self.address = self._address(r"^Public: +http://(\S+)")
        self.agents = self._address(r"^Agents: +ws://(\S+)")
        self.admin = self._address(r"^Admin: +http://(\S+)")
        self.endpoint = f"ws://127.0.0.1:{self.agents[1]}"

    def _address(self, pattern):
        url = urlsplit("//" + self.wait_line(pattern)[1])
        return url.hostname, url.port


class Forwarder(Program):
    """ttf, up and established unless `wait` is False. The service is a port, or its word on the command line."""

    def __init__(self, endpoint, port, state_home, *options, wait=True, env=None, cwd=None):
        where = ["-p", port] if isinstance(port, int) else [port]
        super().__init__(
            [BIN / "ttf", "-e", endpoint, *where, *options],
            env={"XDG_STATE_HOME": str(state_home), "HOME": str(state_home), **(env or {})},
            cwd=cwd or state_home,
        )
        if wait:
            self.wait_established()

    def wait_established(self, after=0, seconds=60):
        self.url = self.wait_line(r"Tunnel established: (\S+)", seconds, after)[1]
        self.host = urlsplit(self.url).netloc
        self.tunnel_id = self.host.partition(".")[0]
        return self.url

    def stop(self, number=signal.SIGINT, seconds=END_SECONDS):
        return super().stop(number, seconds)
