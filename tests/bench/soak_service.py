"""The local service of the soak, and the visitors' side of what it speaks: answers that tell what was asked, streams, WebSockets.
`soak_service.py` runs it, prints `port N`, and ends with its standard input's reader."""

import asyncio
import base64
import hashlib
import json

PIECES = 8
SOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def socket_head(key):
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()  # RFC 6455 4.2.2
    return f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()


async def read_head(reader):
    """(first line, fields with names in lower case)."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines[1:] if line)
    return lines[0], {name.strip().lower(): value.strip() for name, _, value in fields}


async def read_body(reader, fields):
    """Yields the pieces of a body."""
    if fields.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    elif length := int(fields.get("content-length", 0)):
        yield await reader.readexactly(length)


async def whole_body(reader, fields):
    return b"".join([piece async for piece in read_body(reader, fields)])


def digest(host, target, body):
    return hashlib.sha256(f"{host} {target} ".encode() + body).hexdigest()


async def stream(writer, pause):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(PIECES):
        piece = f"data: {number}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
        await asyncio.sleep(pause)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def read_frame(reader):
    """(opcode, payload): short ones, which is all that the soak sends."""
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
    payload = await reader.readexactly(second & 0x7F)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


async def echo(reader, writer, key):
    writer.write(socket_head(key))
    while True:
        opcode, payload = await read_frame(reader)
        writer.write(bytes([0x80 | opcode, len(payload)]) + payload)
        await writer.drain()
        if opcode == 8:
            return


async def answer(reader, writer):
    """False: the connection has ended with it."""
    first, fields = await read_head(reader)
    target = first.split(" ")[1]
    if fields.get("upgrade") == "websocket":
        await echo(reader, writer, fields.get("sec-websocket-key", ""))
        return False
    body = await whole_body(reader, fields)
    if target.startswith("/stream"):
        await stream(writer, 0.1)
        return True
    text = json.dumps({"digest": digest(fields.get("x-forwarded-host", ""), target, body)}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    await writer.drain()
    return True


async def serve(reader, writer):
    try:
        while await answer(reader, writer):
            pass
    except (OSError, EOFError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import sys

    asyncio.run(main(int(sys.argv[1])))
