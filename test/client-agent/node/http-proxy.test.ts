import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import ipaddr from "ipaddr.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { startAgentAndEdge } from "../../support/agent-and-edge.ts";
import { openGate } from "../../support/open-gate.ts";
import { answerTo, connectRequest, startEcho, turnedAway } from "../../support/proxy-client.ts";
import { RawClient } from "../../support/raw-client.ts";
import { startSilentTarget } from "../../support/silent-target.ts";
import { closedPort, startTarget } from "../../support/target.ts";

const fullGate = { ...openGate, maxClients: 0 };
const alice = { users: new Map([["alice", "secret"]]) };
const basic = (text: string): string =>
  `Proxy-Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`;
const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

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

describe("HttpProxy on HEAD", () => {
  const head = (target: string, fields = "Host: x\r\n"): string =>
    `HEAD ${target} HTTP/1.1\r\n${fields}\r\n`;

  it.each([
    ["a wrong password", 407, head("http://127.0.0.1/"), alice],
    ["no proxy request", 400, head("/"), {}],
    ["two Host fields", 400, head("http://127.0.0.1/", "Host: a\r\nHost: b\r\n"), {}],
    ["an expectation", 417, head("http://127.0.0.1/", "Host: x\r\nExpect: wonders\r\n"), {}],
    ["a client that is one too many", 502, head("http://127.0.0.1/"), { gate: fullGate }],
    ["what is no header", 400, head("http://127.0.0.1/", "no header\r\n"), {}],
    ["an edge that denies it", 403, head("http://127.0.0.1/"), { allowPrivate: false }],
  ])(
    "answers %s with the header alone (RFC 9110 section 9.3.2)",
    async (_what, status, text, changes) => {
      const agent = await startAgentAndEdge(changes);
      const client = new RawClient(agent.port).send(text);
      const header = await client.until("\r\n\r\n");
      // An answer to a request that could be read leaves the connection open for the next.
      client.socket.end();
      await client.end();
      expect(client.received).toBe("");
      expect(header).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(header).toMatch(/\r\nContent-Length: [1-9]/i);
    },
  );

  it("answers the second request of a connection as what that is", async () => {
    const agent = await startAgentAndEdge({ allowPrivate: false });
    const client = new RawClient(agent.port).send(head("http://127.0.0.1/"));
    await client.until("\r\n\r\n");
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await client.end()).toBe("FIN");
    expect(client.received).toMatch(/^HTTP\/1\.1 400 [^]*\r\n\r\nCannot take the request: this is/);
  });
});

describe("HttpProxy on more than one Host field", () => {
  it.each([
    ["that differ", "Host: a\r\nHost: b\r\n"],
    ["that are the same", "Host: a\r\nhOST: a\r\n"],
  ])("answers 400 to fields %s (RFC 9112 section 3.2)", async (_what, fields) => {
    const agent = await startAgentAndEdge();
    for (const line of ["GET http://127.0.0.1/ HTTP/1.1", "CONNECT 127.0.0.1:80 HTTP/1.1"]) {
      const answer = await answerTo(agent.port, `${line}\r\n${fields}\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*more than one Host field\n$/);
    }
  });
});

describe("HttpProxy behind a gate", () => {
  it.each([
    ["by rule", { allow: [ipaddr.parseCIDR("10.0.0.0/8")] }, 403, "denied"],
    ["as one too many", { maxClients: 0 }, 502, "general"],
  ])(
    "refuses %s before it looks at a password, and counts it once",
    async (_what, gate, status, reason) => {
      const agent = await startAgentAndEdge({ ...alice, gate: { ...openGate, ...gate } });
      const answer = await answerTo(agent.port, connectRequest("127.0.0.1:80"));
      expect(answer).toMatch(
        new RegExp(`^HTTP/1\\.1 ${status} [^]*Cannot serve the client: ${reason}\n$`),
      );
      expect(await agent.metric(`edgesocks_requests_failed_total{reason="${reason}"}`)).toBe(1);
      expect(await turnedAway(agent, "ERR_HANDSHAKE")).toEqual({ count: undefined, lines: [] });
    },
  );
});

describe("HttpProxy while a password is checked", () => {
  it("keeps what the client sends meanwhile", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge(alice), startEcho()]);
    const client = new RawClient(agent.port);
    client.send(`${connectRequest(`127.0.0.1:${echo.port}`, basic("alice:secret"))}early `);
    // scrypt takes longer than that.
    await client.sendSlowly("x".repeat(200));
    client.send(" late");
    expect(await client.until(" late")).toBe(`${ESTABLISHED}early ${"x".repeat(200)} late`);
  });
});

describe("curl", () => {
  it("fetches by http_proxy, through a tunnel, and twice by one tunnel", async () => {
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
