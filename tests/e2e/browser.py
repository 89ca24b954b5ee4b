"""Debian's Chromium without a window: one page as text, or a page to be watched through the DevTools protocol."""

import base64
import json
import mimetypes
import os
import shutil
import subprocess
import time
from urllib.request import urlopen

import pytest
from websockets.legacy.client import connect

from agent_thread import AgentThread
from programs import SLOW, Program

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip

SHOWN = "document.title + ' ' + location.href + ' ' + (document.body || document.documentElement).outerHTML.slice(0, 3000)"
needs_chromium = pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no chromium here")


def browse(url, folder, *options):
    """What the page is once it is quiet: with --dump-dom its text."""
    return subprocess.run(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}", "--virtual-time-budget=10000", *options, url],
        capture_output=True, timeout=90, check=True,
    ).stdout.decode()  # fmt: skip


class Page(AgentThread):
    """A page that stays open. https://chromedevtools.github.io/devtools-protocol/"""

    def __init__(self, folder, *options):
        super().__init__()
        self.program = Program(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}", "--remote-debugging-port=0", *options, "about:blank"], expect_killed=True
        )
        self._list = "http://" + self.program.wait_err(r"DevTools listening on ws://([^/]+)/", 60)[1] + "/json/list"
        self._answers = {}
        self._events = []
        self._elsewhere = {}
        self._number = 0

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self.program.stop()

    async def _talk(self):
        async with connect(await self._loop.run_in_executor(None, self._target), max_size=None, ping_interval=None, open_timeout=60) as self._socket:
            self._started.set()
            async for text in self._socket:
                message = json.loads(text)
                if future := self._answers.pop(message.get("id"), None):
                    future.set_result(message)
                elif message.get("method") == "Fetch.requestPaused":
                    await self._stand_in(message["params"])
                elif "method" in message:
                    self._events.append(message)

    def _target(self):
        """The address of the blank page, as the browser lists it."""
        while True:
            with urlopen(self._list, timeout=30) as answer:
                for target in json.load(answer):
                    if target["type"] == "page":
                        return target["webSocketDebuggerUrl"]
            time.sleep(0.05)

    def command(self, method, seconds=30, **parameters):
        async def ask():
            self._number += 1
            future = self._answers[self._number] = self._loop.create_future()
            await self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
            return await future

        answer = self._call(ask(), seconds * SLOW)
        assert "error" not in answer, answer
        return answer["result"]

    def evaluate(self, expression):
        """Its value; None, too, when the page gave way to another meanwhile."""
        try:
            return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")
        except AssertionError as failure:
            if "Inspected target navigated" in str(failure):
                return None
            raise

    def stand_in(self, url, path):
        """What the page asks of another host comes from this file, or folder."""
        self._elsewhere[url] = path
        self.command("Fetch.enable", patterns=[{"urlPattern": start + "*"} for start in self._elsewhere])

    async def _stand_in(self, request):
        url = request["request"]["url"]
        start = next(start for start in self._elsewhere if url.startswith(start))
        body = (self._elsewhere[start] / url[len(start) :]).read_bytes() if start.endswith("/") else self._elsewhere[start].read_bytes()
        kind = mimetypes.guess_type(url)[0] or "application/octet-stream"
        self._number += 1
        parameters = {
            "requestId": request["requestId"], "responseCode": 200, "body": base64.b64encode(body).decode(),
            "responseHeaders": [{"name": "Content-Type", "value": kind}, {"name": "Access-Control-Allow-Origin", "value": "*"}],
        }  # fmt: skip
        await self._socket.send(json.dumps({"id": self._number, "method": "Fetch.fulfillRequest", "params": parameters}))

    def watch(self):
        """From now on what goes wrong is noted."""
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.command(f"{domain}.enable")

    def problems(self):
        """Errors and warnings of the console, exceptions, requests that failed or were refused."""
        found, urls = [], {}
        for event in list(self._events):
            what, p = event["method"], event["params"]
            if what == "Network.requestWillBeSent":
                urls[p["requestId"]] = p["request"]["url"]
            elif what == "Runtime.exceptionThrown":
                found.append(p["exceptionDetails"].get("exception", {}).get("description") or p["exceptionDetails"]["text"])
            elif what == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
            elif what == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                found.append(f"{p['entry']['text']} {p['entry'].get('url', '')}")
            elif what == "Network.loadingFailed" and not p.get("canceled"):
                found.append(f"{p['errorText']} {urls.get(p['requestId'], '')}")
            elif what == "Network.responseReceived" and p["response"]["status"] >= 400:
                found.append(f"{p['response']['status']} {p['response']['url']}")
        return found

    def screen(self, width, height, is_phone, scheme=None):
        """Its size, in CSS pixels; `scheme`: "light" or "dark"."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone)
        if scheme:
            self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))

    def open(self, url):
        self.command("Page.navigate", seconds=180, url=url)  # answered once the page begins: a dev server compiles it first

    def wait(self, expression, seconds=60):
        """Until the expression is true in the page; returns what it is then."""
        end = time.monotonic() + seconds * SLOW
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"never {expression}; the page: {self.evaluate(SHOWN)}"
            time.sleep(0.02)
        return value
