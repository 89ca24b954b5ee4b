"""A coding agent's side of `ttf mcp`, by the protocol's own SDK, which checks results against the schemas that the tools declare.
Run by test_apps_mcp.py in an environment that has it: mcp_client.py TTF INSPECTOR PUBLIC_URL auto|legacy PORT"""

import asyncio
import http.client
import sys
from urllib.parse import urlsplit

from mcp import Client, StdioServerParameters

TTF, INSPECTOR, PUBLIC_URL, MODE, PORT = sys.argv[1:]


def visit():
    connection = http.client.HTTPConnection("127.0.0.1", int(PORT), timeout=30)
    connection.request("POST", "/hook", body=b'{"n": 1}', headers={"Host": urlsplit(PUBLIC_URL).netloc, "Content-Type": "application/json"})
    assert connection.getresponse().status == 500
    connection.close()


async def main():
    server = StdioServerParameters(command=TTF, args=["mcp", "--inspect-url", INSPECTOR])
    async with Client(server, mode=MODE) as client:

        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result
            return result.structured_content

        assert client.protocol_version == ("2025-11-25" if MODE == "legacy" else "2026-07-28"), client.protocol_version
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert len(tools) == 8 and all(tool.output_schema and tool.description for tool in tools.values())
        assert (await call("list_tunnels"))["tunnels"][0]["public_url"] == PUBLIC_URL

        waits = asyncio.create_task(call("wait_for_request", path="/hook", after=0, timeout_seconds=60))
        await asyncio.to_thread(visit)
        (line,) = (await waits)["requests"]
        assert line["status"] == 500
        found = await call("inspect_request", id=line["id"])
        assert found["request"]["body"]["text"] == '{"n": 1}' and found["response"]["status"] == 500
        again = await call("replay_request", id=line["id"], headers={"x-debug": "1"})
        assert again["all_ended"] and again["requests"][0]["replay_of"] == line["id"]
        compared = await call("compare_requests", a=line["id"], b=again["requests"][0]["id"])
        assert [one["where"] for one in compared["differences"]] == ["request.headers.x-debug"], compared
        assert len((await call("list_requests", status="5xx"))["requests"]) == 2

        wrong = await client.call_tool("inspect_request", {"id": "77"})
        assert wrong.is_error and "no such request" in wrong.content[0].text
        try:
            await asyncio.wait_for(client.call_tool("wait_for_request", {"path": "/never", "timeout_seconds": 300}), 1)
            raise AssertionError("it did not wait")
        except TimeoutError:
            pass  # the SDK has cancelled it
        assert (await call("list_tunnels"))["tunnels"]
    print("fine")


asyncio.run(main())
