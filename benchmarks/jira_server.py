"""A stand-in for Jira sites that costs next to nothing, so that what is measured is the client.

`python -m benchmarks.jira_server LATENCY_S ISSUES` prints its port. Sites are told apart by `Host`. Each
answers a search, bulk fetch, `myself`, `serverInfo` and one GET per issue for its remote links, after
the latency, within a token bucket of 100 per site, method and endpoint, refilled at 100/s (50 for PUT
and DELETE are not needed here). `GET /counts` tells how many links were read and how many answers were 429.
"""

import asyncio
import json
import re
import sys
import time

RATE = 100.0
LINKS = json.dumps(
    [
        {
            "id": 10000 + n,
            "self": f"https://one.atlassian.net/rest/api/3/issue/ONE-1/remotelink/{10000 + n}",
            "globalId": f"appId=55f82c15-c230-365f-b5ec-d9d6971f5d1f&issueId={196838 + n}",
            "application": {"type": "com.atlassian.jira", "name": "Operations"},
            "relationship": "relates to",
            "object": {
                "url": f"https://ops.example.net/browse/OPS-{n + 1}",
                "title": f"OPS-{n + 1}",
                "icon": {},
                "status": {"icon": {}},
            },
        }
        for n in range(2)
    ]
).encode()
REMOTE_LINKS = re.compile(rb"/rest/api/[23]/issue/[^/]+/remotelink")

buckets: dict[tuple[bytes, bytes], tuple[float, float]] = {}
counts = {"read": 0, "limited": 0}


def allowed(site: bytes, endpoint: bytes) -> bool:
    """Take a token of an endpoint's bucket."""
    now_s = time.monotonic()
    tokens, filled_s = buckets.get((site, endpoint), (RATE, now_s))
    tokens = min(RATE, tokens + (now_s - filled_s) * RATE)
    buckets[site, endpoint] = (tokens - 1 if tokens >= 1 else tokens, now_s)
    return tokens >= 1


def answer(method: bytes, path: bytes, site: bytes, body: bytes, issues: int) -> tuple[int, bytes]:
    """Return status and body."""
    name = path.partition(b"?")[0]
    if name == b"/counts":
        return 200, json.dumps(counts).encode()
    if REMOTE_LINKS.fullmatch(name):
        if not allowed(site, b"remotelink"):
            counts["limited"] += 1
            return 429, b"{}"
        counts["read"] += 1
        return 200, LINKS
    if not allowed(site, method + name):
        counts["limited"] += 1
        return 429, b"{}"
    if name.endswith(b"/myself"):
        return 200, b'{"accountId": "5b10", "emailAddress": "admin@example.com"}'
    if name.endswith(b"/serverInfo"):
        base = f"https://{site.decode()}"
        told = {"baseUrl": base, "displayUrl": base, "deploymentType": "Cloud"}
        return 200, json.dumps(told).encode()
    if name.endswith(b"/search/jql"):
        found = [{"id": str(n), "key": f"ONE-{n}"} for n in range(1, issues + 1)]
        return 200, json.dumps({"issues": found, "isLast": True}).encode()
    if name.endswith(b"/issue/bulkfetch"):
        keys = json.loads(body)["issueIdsOrKeys"]
        found = [{"id": key.rpartition("-")[2], "key": key} for key in keys]
        return 200, json.dumps({"issues": found, "issueErrors": []}).encode()
    return 404, b"{}"


class Connection(asyncio.Protocol):
    """One connection: requests come one after the other."""

    def __init__(self, latency_s: float, issues: int) -> None:
        self.latency_s = latency_s
        self.issues = issues
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, mark, rest = self.received.partition(b"\r\n\r\n")
        if not mark:
            return
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        length = int(fields.get(b"content-length", b"0"))
        if len(rest) < length:
            return
        self.received = rest[length:]
        method, path, _ = head.split(b" ", 2)
        status, body = answer(method, path, fields.get(b"host", b""), rest[:length], self.issues)
        reply = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-AAccountId: 5b10\r\n"
            + ("RateLimit-Reason: jira-burst-based\r\nRetry-After: 1\r\n" if status == 429 else "")
            + "\r\n"
        ).encode() + body
        asyncio.get_running_loop().call_later(self.latency_s, self.write, reply)

    def write(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


async def main(latency_s: float, issues: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(latency_s, issues), "127.0.0.1", 0, backlog=2048
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2])))
