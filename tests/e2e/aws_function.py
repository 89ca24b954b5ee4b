"""A function whose handler is the test's own, for the stand-in for API Gateway and Lambda, and what its tests ask the stand-in."""

import json
import queue
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore.session
import pytest
from botocore.config import Config

import aws
import http_raw
from programs import ROOT

FUNCTION = ROOT / "tests/e2e/function_proxy.py"
OK = {"statusCode": 200}


class Exit(Exception):
    """The function's process ends."""


class Failure(Exception):
    """The function says that it has failed."""


class Function:
    """handle(event) -> what the function returns (a dict, a str or bytes as they are)."""

    def __init__(self):
        self.events, self.pids, self.deadlines, self.traces = queue.Queue(), [], [], []
        self.handle = lambda event: OK
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                _, pid, deadline = self.path.split("/")
                outer.pids.append(int(pid))
                outer.deadlines.append(int(deadline))
                outer.traces.append(self.headers["Trace"])
                outer.events.put(event)
                status, answer = 200, b""
                try:
                    answer = outer.handle(event)
                    answer = answer if isinstance(answer, (bytes, str)) else json.dumps(answer)
                    answer = answer if isinstance(answer, bytes) else answer.encode()
                except Exit:
                    status = 555
                except Failure as failure:
                    status, answer = 500, json.dumps({"errorType": "Failure", "errorMessage": str(failure)}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # a process that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def next(self, route=None, seconds=60):
        """The next event, of that route of a WebSocket API if it is said."""
        while True:
            event = self.events.get(timeout=seconds)
            if route is None or event.get("requestContext", {}).get("routeKey") == route:
                return event

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def function():
    made = Function()
    yield made
    made.stop()


@pytest.fixture
def stand_in(start, function):
    """make(*options): the stand-in with that function, which is invoked with the stream too, and by the schedule where a test says
    how often: what is counted is not to depend on how long a test takes."""

    def make(*options, **more):
        if "--cleanup-interval" not in options:
            options = ("--cleanup-interval", "3600s", *options)
        gateway = aws.StandIn(start._folder("standin"), *options, bootstrap=FUNCTION, stream=True,
                              env={"HANDLER": function.address, **more.pop("env", {})}, **more)  # fmt: skip
        return start._keep(gateway)

    return make


def usage(gateway):
    with urllib.request.urlopen("http://%s:%d/aws/usage" % gateway.admin, timeout=60) as answer:
        return json.load(answer)


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def visit(gateway, target="/", method="GET", **more):
    return http_raw.request(gateway.address, method, target, **more)


def state_of(pid):
    """Of the process: T is frozen."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def together(count, call):
    """The results of `count` calls at once."""
    results = [None] * count
    barrier = threading.Barrier(count)

    def run(n):
        barrier.wait()
        results[n] = call(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    [thread.start() for thread in threads]
    [thread.join(100) for thread in threads]
    return results


def management(gateway, key="local", secret="local", token=None, region="us-east-1", stage="", retry=True):
    return botocore.session.Session().create_client(
        "apigatewaymanagementapi", region_name=region, endpoint_url="http://127.0.0.1:%d%s" % (gateway.agents[1], stage),
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
        config=None if retry else Config(retries={"max_attempts": 0}))  # fmt: skip
