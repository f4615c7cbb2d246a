import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { type AgentAndEdge, startAgentAndEdge } from "../../support/agent-and-edge.ts";
import { RawClient } from "../../support/raw-client.ts";
import { startSilentTarget } from "../../support/silent-target.ts";
import { closedPort, startTarget, type Target } from "../../support/target.ts";

const alice = { users: new Map([["alice", "secret"]]) };
const basic = (text: string): string =>
  `Proxy-Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`;
const connectRequest = (authority: string, fields = ""): string =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`;
const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

async function startEcho(): Promise<Target> {
  const echo = await startTarget((socket) => socket.pipe(socket));
  onTestFinished(() => echo.close());
  return echo;
}

/** The whole answer to what is sent, which must end in a FIN. */
async function answerTo(port: number, text: string): Promise<string> {
  const client = new RawClient(port).send(text);
  expect(await client.end()).toBe("FIN");
  return client.received;
}

/** What the agent has counted and logged of clients that it turned away. */
async function turnedAway(agent: AgentAndEdge, code: string) {
  return {
    count: await agent.metric(`edgesocks_clients_failed_total{code="${code}"}`),
    lines: agent.log.lines.filter((line) => line.startsWith("warn ")),
  };
}

describe("HttpProxy on CONNECT", () => {
  it("opens a tunnel, for bytes pipelined behind the request too", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge(), startEcho()]);
    const client = new RawClient(agent.port);
    client.send(`${connectRequest(`127.0.0.1:${echo.port}`)}early`);
    expect(await client.until("early")).toBe(`${ESTABLISHED}early`);
    client.send("late");
    expect(await client.until("late")).toBe("late");
    expect(await agent.metric("edgesocks_streams")).toBe(1);
    client.socket.end();
    expect(await client.end()).toBe("FIN");
    await client.closed();
    expect(await agent.metric('edgesocks_bytes_total{direction="up"}')).toBe(9);
    expect(await agent.metric("edgesocks_clients")).toBe(0);
  });

  it("takes a request that comes one byte at a time", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge(), startEcho()]);
    const client = new RawClient(agent.port);
    await client.sendSlowly(`${connectRequest(`127.0.0.1:${echo.port}`)}early`);
    expect(await client.until("early")).toBe(`${ESTABLISHED}early`);
  });

  it("carries more early bytes than an OPEN has room for", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge(), startEcho()]);
    const early = "x".repeat(300_000);
    const client = new RawClient(agent.port);
    client.send(`${connectRequest(`127.0.0.1:${echo.port}`)}${early}end`);
    expect(await client.until("end")).toBe(`${ESTABLISHED}${early}end`);
  });

  it("keeps a half-closed tunnel open for the answer", async () => {
    const agent = await startAgentAndEdge();
    const target = await startTarget((socket) =>
      socket.once("end", () => socket.end("after your FIN")).resume(),
    );
    onTestFinished(() => target.close());
    const client = new RawClient(agent.port).send(connectRequest(`127.0.0.1:${target.port}`));
    await client.until(ESTABLISHED);
    client.socket.end();
    expect(await client.end()).toBe("FIN");
    expect(client.received).toBe("after your FIN");
  });

  it("answers 502 when the target refuses", async () => {
    const agent = await startAgentAndEdge();
    const answer = await answerTo(agent.port, connectRequest(`127.0.0.1:${await closedPort()}`));
    expect(answer).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(answer).toMatch(/\r\n\r\nCannot reach the target: connection-refused\n$/);
    const failed = 'edgesocks_requests_failed_total{reason="connection-refused"}';
    expect(await agent.metric(failed)).toBe(1);
    expect(await turnedAway(agent, "ERR_HANDSHAKE")).toEqual({ count: undefined, lines: [] });
  });

  it("answers 502 when the name does not exist", async () => {
    const agent = await startAgentAndEdge();
    const answer = await answerTo(agent.port, connectRequest("nowhere.invalid:80"));
    expect(answer).toMatch(/^HTTP\/1\.1 502 .*name-not-found\n$/s);
  });

  it("answers 403 when the edge denies the target", async () => {
    const agent = await startAgentAndEdge({ allowPrivate: false });
    const answer = await answerTo(agent.port, connectRequest("127.0.0.1:80"));
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*denied\n$/s);
  });

  it("answers 504 when the target does not answer", async () => {
    const silent = await startSilentTarget();
    onTestFinished(() => silent.close());
    const agent = await startAgentAndEdge({ connectTimeoutMs: 100 });
    const answer = await answerTo(agent.port, connectRequest(`127.0.0.1:${silent.port}`));
    expect(answer).toMatch(/^HTTP\/1\.1 504 Gateway Timeout\r\n.*timed-out\n$/s);
  });

  it.each(["example.com", "example.com:0", "/", "http://example.com/"])(
    "answers 400 to %j",
    async (authority) => {
      const agent = await startAgentAndEdge();
      expect(await answerTo(agent.port, connectRequest(authority))).toMatch(/^HTTP\/1\.1 400 /);
      const { count, lines } = await turnedAway(agent, "ERR_HANDSHAKE");
      expect([count, lines.length]).toEqual([1, 1]);
    },
  );

  it("breaks off a client that asks for it before an earlier answer", async () => {
    const agent = await startAgentAndEdge();
    const target = await startTarget();
    onTestFinished(() => target.close());
    const client = new RawClient(agent.port);
    const get = `GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`;
    client.send(get + connectRequest(`127.0.0.1:${target.port}`));
    expect(await client.end()).toBe("RST");
    expect(client.received).toBe("");
  });
});

describe("HttpProxy with users", () => {
  it.each([
    ["no credentials", ""],
    ["a wrong password", basic("alice:wrong")],
    ["another scheme", "Proxy-Authorization: Bearer abc\r\n"],
  ])("answers 407 to %s, and counts and logs it once", async (_what, fields) => {
    const agent = await startAgentAndEdge(alice);
    const answer = await answerTo(agent.port, connectRequest("127.0.0.1:80", fields));
    expect(answer).toMatch(/^HTTP\/1\.1 407 Proxy Authentication Required\r\n/);
    expect(answer).toContain('\r\nProxy-Authenticate: Basic realm="edgesocks"\r\n');
    const get = `GET http://127.0.0.1:80/ HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
    expect(await answerTo(agent.port, get)).toMatch(/^HTTP\/1\.1 407 /);
    const { count, lines } = await turnedAway(agent, "ERR_HANDSHAKE");
    expect(count).toBe(2);
    expect(lines).toEqual([
      expect.stringContaining("Cannot authenticate"),
      expect.stringContaining("Cannot authenticate"),
    ]);
  });

  it("lets in who has the right password", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge(alice), startEcho()]);
    const client = new RawClient(agent.port);
    client.send(`${connectRequest(`127.0.0.1:${echo.port}`, basic("alice:secret"))}hello`);
    expect(await client.until("hello")).toBe(`${ESTABLISHED}hello`);
  });
});

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

describe("curl", () => {
  it("fetches http and https-like URLs by http_proxy", async () => {
    const server = createServer((request, response) => response.end(`you asked ${request.url}`));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a?b`;
    const agent = await startAgentAndEdge(alice);
    const curl = (...args: string[]) =>
      promisify(execFile)("curl", [
        "-sS",
        "-x",
        `http://alice:secret@127.0.0.1:${agent.port}`,
        ...args,
      ]);
    const found = await curl("--version").then(
      () => true,
      () => false,
    );
    if (!found) return;
    expect((await curl(url)).stdout).toBe("you asked /a?b");
    expect((await curl("-p", url)).stdout).toBe("you asked /a?b");
    expect((await curl("-p", url, url)).stdout).toBe("you asked /a?byou asked /a?b");
  });
});
