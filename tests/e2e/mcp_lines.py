"""ttf mcp as a program that reads lines and writes lines; what a test needs of it."""

import json
import queue
import subprocess
import threading

from programs import BIN, SLOW

VERSION = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


class Mcp:
    def __init__(self, *options, handshake=True, env=None):
        self.process = subprocess.Popen(
            [BIN / "ttf", "mcp", *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        self.answers, self.errors, self.count = queue.Queue(), [], 0
        self.readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.answers.put), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors.append), daemon=True),
        ]
        for reader in self.readers:
            reader.start()
        if handshake:
            self.initialize()

    def _read(self, stream, take):
        for line in stream:
            take(line)
        take(None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
        assert self.end() == 0 or kind, self.errors

    def send(self, line):
        self.process.stdin.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self, seconds=60):
        line = self.answers.get(timeout=seconds * SLOW)
        assert line is not None, (self.process.poll(), self.errors)
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def request(self, method, params=None, id=None):
        self.count += 1
        id = self.count if id is None else id
        self.send({"jsonrpc": "2.0", "id": id, "method": method, **({"params": params} if params is not None else {})})
        return id

    def ask(self, method, params=None, id=None):
        id = self.request(method, params, id)
        answer = self.receive()
        assert answer["id"] == id and type(answer["id"]) is type(id), answer
        return answer

    def initialize(self, version="2025-06-18"):
        answer = self.ask("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    def start(self, tool, **arguments):
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def result(self, answer):
        """What the tool gave; its text says the same."""
        result = answer["result"]
        (content,) = result["content"]
        assert not result["isError"], content["text"]
        assert json.loads(content["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def call(self, tool, **arguments):
        id = self.start(tool, **arguments)
        answer = self.receive()
        assert answer["id"] == id
        return self.result(answer)

    def refused(self, tool, **arguments):
        """The words in which the tool says that it cannot."""
        self.start(tool, **arguments)
        result = self.receive()["result"]
        assert result["isError"] and "structuredContent" not in result, result
        return result["content"][0]["text"]

    def end(self, seconds=60):
        """Closes its input; the exit code."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(seconds * SLOW)
        for reader in self.readers:
            reader.join(10)
        return code
