"""The WebSocket clients of other languages' registries, each against a tunnel of v2: the handshake as that library writes it, text and
binary messages, a ping, and close codes both ways.

Installs from Go's proxy, npm, PyPI and crates.io into build/apps: where TTF_APPS=1 is said, and with TTF_APPS=all those that are compiled, too. Java's HttpClient, whose handshake
says `Content-Length: 0`, stands in test_upgrade.py."""

import json
import shutil
import subprocess
import sys

import pytest

import apps

pytestmark = [
    pytest.mark.apps,
    pytest.mark.timeout(900),
]

# Each program takes a URL: it sends "hello" and 100 000 bytes, and expects them back; pings, and waits for the pong; says "close 4001",
# and prints the code it is closed with; then on a second connection closes with 4002 "bye". {"closed": 4001} on standard output.

GORILLA = """package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	c, _, err := websocket.DefaultDialer.Dial(os.Args[1], nil)
	must(err)
	large := bytes.Repeat([]byte("x"), 100000)
	for kind, sent := range map[int][]byte{websocket.TextMessage: []byte("hello"), websocket.BinaryMessage: large} {
		must(c.WriteMessage(kind, sent))
		got, data, err := c.ReadMessage()
		must(err)
		if got != kind || !bytes.Equal(data, sent) {
			panic("no echo")
		}
	}
	pong := make(chan string, 1)
	c.SetPongHandler(func(text string) error { pong <- text; return nil })
	must(c.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Second)))
	must(c.WriteMessage(websocket.TextMessage, []byte("close 4001")))
	_, _, err = c.ReadMessage()
	if <-pong != "p" {
		panic("no pong")
	}
	fmt.Printf(`{"closed": %d}`, err.(*websocket.CloseError).Code)
	c, _, err = websocket.DefaultDialer.Dial(os.Args[1], nil)
	must(err)
	must(c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4002, "bye"), time.Now().Add(time.Second)))
	c.ReadMessage()
}
"""

CODER = """package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/coder/websocket"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, os.Args[1], nil)
	must(err)
	c.SetReadLimit(1 << 20)
	large := bytes.Repeat([]byte("x"), 100000)
	for kind, sent := range map[websocket.MessageType][]byte{websocket.MessageText: []byte("hello"), websocket.MessageBinary: large} {
		must(c.Write(ctx, kind, sent))
		got, data, err := c.Read(ctx)
		must(err)
		if got != kind || !bytes.Equal(data, sent) {
			panic("no echo")
		}
	}
	code := make(chan int, 1)
	go func() {
		_, _, err := c.Read(ctx)
		code <- int(websocket.CloseStatus(err))
	}()
	must(c.Ping(ctx))
	must(c.Write(ctx, websocket.MessageText, []byte("close 4001")))
	fmt.Printf(`{"closed": %d}`, <-code)
	c, _, err = websocket.Dial(ctx, os.Args[1], nil)
	must(err)
	must(c.Close(4002, "bye"))
}
"""

WS = """const { WebSocket } = require('ws')
const url = process.argv[2], large = Buffer.alloc(100000, 'x')
const socket = new WebSocket(url)
let pong = ''
socket.on('open', () => socket.send('hello'))
socket.on('message', (data, binary) => {
  if (!binary && String(data) === 'hello') socket.send(large)
  else if (binary && data.equals(large)) socket.ping('p')
})
socket.on('pong', data => { pong = String(data); socket.send('close 4001') })
socket.on('close', code => {
  console.log(JSON.stringify({ closed: pong === 'p' ? code : 'no pong' }))
  const second = new WebSocket(url)
  second.on('open', () => second.close(4002, 'bye'))
})
"""

# The browsers' interface, which has no pings.
UNDICI = """const { WebSocket } = require('undici')
const url = process.argv[2], large = new Uint8Array(100000).fill(120)
const socket = new WebSocket(url)
socket.binaryType = 'arraybuffer'
socket.onopen = () => socket.send('hello')
socket.onmessage = ({ data }) => {
  if (data === 'hello') socket.send(large)
  else if (Buffer.from(data).equals(Buffer.from(large))) socket.send('close 4001')
}
socket.onclose = ({ code }) => {
  console.log(JSON.stringify({ closed: code }))
  const second = new WebSocket(url)
  second.onopen = () => second.close(4002, 'bye')
}
"""
BUILT_IN = UNDICI.replace("const { WebSocket } = require('undici')\n", "")

WEBSOCKETS = """import asyncio, json, sys
import websockets

async def main(url):
    async with websockets.connect(url) as socket:
        for sent in ("hello", b"x" * 100000):
            await socket.send(sent)
            assert await socket.recv() == sent
        await (await socket.ping(b"p"))
        await socket.send("close 4001")
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            print(json.dumps({"closed": closed.rcvd.code}))
    socket = await websockets.connect(url)
    await socket.close(4002, "bye")

asyncio.run(main(sys.argv[1]))
"""

AIOHTTP = """import asyncio, json, sys
import aiohttp

async def main(url):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, autoping=False) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
            await socket.send_bytes(b"x" * 100000)
            assert await socket.receive_bytes() == b"x" * 100000
            await socket.ping(b"p")
            pong = await socket.receive()
            assert pong.type == aiohttp.WSMsgType.PONG and pong.data == b"p", pong
            await socket.send_str("close 4001")
            await socket.receive()
            print(json.dumps({"closed": socket.close_code}))
        async with session.ws_connect(url) as socket:
            await socket.close(code=4002, message=b"bye")

asyncio.run(main(sys.argv[1]))
"""

TUNGSTENITE = """use tungstenite::{connect, protocol::{frame::coding::CloseCode, CloseFrame}, Message};

fn main() {
    let url = std::env::args().nth(1).unwrap();
    let (mut socket, _) = connect(url.as_str()).unwrap();
    for sent in [Message::text("hello"), Message::binary(vec![b'x'; 100000])] {
        socket.send(sent.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), sent);
    }
    socket.send(Message::Ping(vec![b'p'].into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(vec![b'p'].into()));
    socket.send(Message::text("close 4001")).unwrap();
    if let Message::Close(Some(frame)) = socket.read().unwrap() {
        println!("{{\\"closed\\": {}}}", u16::from(frame.code));
    }
    while socket.read().is_ok() {}
    let (mut socket, _) = connect(url.as_str()).unwrap();
    socket.close(Some(CloseFrame { code: CloseCode::from(4002), reason: "bye".into() })).unwrap();
    while socket.read().is_ok() {}
}
"""


def run(*words, cwd, seconds=600, **more):
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, timeout=seconds, **more)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program} here")


def go(folder, module, source):
    needs("go")
    (folder / "main.go").write_text(source)
    (folder / "go.mod").write_text("module client\n\ngo 1.22\n")
    run("go", "get", module, cwd=folder)
    run("go", "build", "-o", "client", ".", cwd=folder)
    return [folder / "client"]


def node(folder, package, source):
    needs("node", "npm")
    (folder / "client.js").write_text(source)
    if package:
        (folder / "package.json").write_text('{"private": true}')
        run("npm", "install", "--no-audit", "--no-fund", package, cwd=folder)
        return ["node", folder / "client.js"]
    major = int(run("node", "--version", cwd=folder)[1:].split(".")[0])
    return ["node", *(["--experimental-websocket"] if major < 22 else []), folder / "client.js"]


def python(folder, package, source):
    (folder / "client.py").write_text(source)
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    run(folder / "venv/bin/pip", "install", "-q", package, cwd=folder)
    return [folder / "venv/bin/python", folder / "client.py"]


def rust(folder, package, source):
    needs("cargo")
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/main.rs").write_text(source)
    (folder / "Cargo.toml").write_text(f'[package]\nname = "client"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n{package} = "*"\n')
    run("cargo", "build", "-q", cwd=folder)
    return [folder / "target/debug/client"]


LIBRARIES = {
    "gorilla": (go, "github.com/gorilla/websocket@latest", GORILLA),
    "coder": (go, "github.com/coder/websocket@latest", CODER),
    "ws": (node, "ws", WS),
    "undici": (node, "undici@6", UNDICI),
    "node": (node, None, BUILT_IN),
    "websockets": (python, "websockets", WEBSOCKETS),
    "aiohttp": (python, "aiohttp", AIOHTTP),
    "tungstenite": (rust, "tungstenite", TUNGSTENITE),
}


async def service(socket):
    """Echoes; "close N" closes with that code."""
    async for message in socket:
        if isinstance(message, str) and message.startswith("close "):
            await socket.close(int(message[6:]), "as you said")
        else:
            await socket.send(message)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.heavy) if row[0] in (go, rust) else name for name, row in LIBRARIES.items()])
def test_library(start, name):
    build, package, source = LIBRARIES[name]
    folder = apps.FOLDER / f"websocket-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    command = build(folder, package, source)
    behind = start.websockets(service)
    gateway = start.gateway()
    ttf = start.forwarder(gateway, behind)
    host, port = gateway.address
    said = run(*command, f"ws://{host}:{port}/{ttf.tunnel_id}/socket", cwd=folder, seconds=60)
    assert json.loads(said) == {"closed": 4001}
    ended = behind.wait_ended(2)
    assert ended[1] == (4002, "bye"), ended
