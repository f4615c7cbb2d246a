import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { startAgentAndEdge } from "../../support/agent-and-edge.ts";
import { answerTo, connectRequest, startEcho, turnedAway } from "../../support/proxy-client.ts";
import { RawClient } from "../../support/raw-client.ts";

describe("HttpProxy on what is not a request for it", () => {
  it.each([
    ["garbage behind a method letter", "G\x00\xff\r\n\r\n", 400],
    ["an unknown method", "BREW http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["a header that is too large", `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["a request for this server", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    [
      "a WebSocket",
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      400,
    ],
    ["an https URL", "GET https://127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n", 501],
    [
      "two lengths",
      "POST http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      400,
    ],
    [
      "a coding that is not chunked",
      "POST http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      501,
    ],
  ])("turns %s away, and counts and logs it once", async (_what, text, status) => {
    const agent = await startAgentAndEdge();
    expect(await answerTo(agent.port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const { count, lines } = await turnedAway(agent, "ERR_HANDSHAKE");
    expect([count, lines.length]).toEqual([1, 1]);
    expect(lines[0]).not.toContain("127.0.0.1");
  });

  it("says that it is a proxy", async () => {
    const agent = await startAgentAndEdge();
    const answer = await answerTo(agent.port, "GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer).toContain("this is a proxy");
  });

  it.each(["\x00", "g", "[", "@", "\x16\x03\x01"])("leaves %j to the front door", async (text) => {
    const agent = await startAgentAndEdge();
    expect(await answerTo(agent.port, text)).toBe("");
    const { count, lines } = await turnedAway(agent, "ERR_HANDSHAKE");
    expect(count).toBe(1);
    expect(lines).toEqual([expect.stringContaining("the first byte is")]);
  });

  it.each(["", "C", "CONNECT example.com:80 HTTP/1.1\r\n"])(
    "ends a client that stalls behind %j",
    async (text) => {
      const agent = await startAgentAndEdge({ handshakeTimeoutMs: 50 });
      const client = new RawClient(agent.port).send(text);
      expect(await client.end()).toBe(text === "" ? "RST" : "FIN");
      expect(client.received).toMatch(text === "" ? /^$/ : /^HTTP\/1\.1 408 /);
      const { count, lines } = await turnedAway(agent, "ERR_HANDSHAKE_TIMEOUT");
      expect([count, lines.length]).toEqual([1, 1]);
    },
  );

  it.each(["", "C", "CONNECT example.com:80 HTTP/1.1\r\n"])(
    "counts a client that leaves behind %j",
    async (text) => {
      const agent = await startAgentAndEdge();
      const client = new RawClient(agent.port).send(text);
      client.socket.end();
      await client.closed();
      const { count, lines } = await turnedAway(agent, "ERR_HANDSHAKE_EOF");
      expect([count, lines.length]).toEqual([1, 1]);
    },
  );
});

describe("HttpProxy", () => {
  it("outlives whatever clients send, and forgets them", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge(), startEcho()]);
    const authority = `127.0.0.1:${echo.port}`;
    const part = fc.oneof(
      fc.constantFrom(
        "GET ",
        "POST ",
        "CONNECT ",
        `http://${authority}/`,
        authority,
        "/",
        " ",
        ":",
      ),
      fc.constantFrom(
        " HTTP/1.1",
        " HTTP/1.0",
        "\r\n",
        "\r\n\r\n",
        "Host: x\r\n",
        "5\r\nhello\r\n",
      ),
      fc.constantFrom("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Upgrade: x\r\n"),
      fc.constantFrom("Connection: upgrade\r\n", "Expect: 100-continue\r\n", "0\r\n\r\n"),
      fc.string({ unit: "binary-ascii", maxLength: 5 }),
    );
    const clientEnd = fc.constantFrom("end", "destroy", "resetAndDestroy");
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), clientEnd, async (parts, end) => {
        const client = new RawClient(agent.port);
        await client.sendSlowly(`G${parts.join("")}`.slice(0, 60));
        client.send(parts.join("").slice(59));
        client.socket[end]();
        await client.closed();
      }),
      { numRuns: 150 },
    );
    const client = new RawClient(agent.port).send(`${connectRequest(authority)}hello`);
    await client.until("hello");
    // This one alone is left.
    await expect.poll(() => agent.metric("edgesocks_clients")).toBe(1);
  });
});
