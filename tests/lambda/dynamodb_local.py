#!/usr/bin/env python3
"""DynamoDB Local, in memory, on a port of its own.

    dynamodb_local.py COMMAND...   runs the command with AWS_ENDPOINT_URL_DYNAMODB (and credentials that need not be
                                   true) in its environment; its exit code is ours

`./dev` puts the jars into build/dynamodb (docker/dynamodb says which). Where they are missing: exit code 77.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ports import free_port  # DynamoDB Local takes no port 0

JARS = Path(os.environ.get("DYNAMODB_LOCAL", Path(__file__).resolve().parents[2] / "build/dynamodb"))
CREDENTIALS = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


class Missing(Exception):
    pass


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    except OSError:
        return False
    finally:
        connection.close()


class DynamoDBLocal:
    def __enter__(self):
        if not list(JARS.glob("DynamoDBLocal-*.jar")):
            raise Missing(f"no DynamoDB Local in {JARS}")
        for _ in range(5):
            if self.start(free_port()):
                return self
        raise RuntimeError("DynamoDB Local does not start")

    def start(self, port):
        # everybody waits for it: on a busy machine it goes first, where it may
        command = ["nice", "-n", "-10", "java", "-Xmx512m", "-XX:TieredStopAtLevel=1", f"-Djava.library.path={JARS}", "-cp", f"{JARS}/*"]
        command += ["com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-sharedDb"]
        command += ["-disableTelemetry", "-port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.endpoint = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 300  # of a machine that has much else to do; who finds its port taken ends
        while self.process.poll() is None and time.monotonic() < deadline:
            if answers(port):
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.stop()


def main(command):
    try:
        with DynamoDBLocal() as dynamodb:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            environment = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint}
            return subprocess.run(command, env=environment).returncode
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1 if os.environ.get("CI") else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)
