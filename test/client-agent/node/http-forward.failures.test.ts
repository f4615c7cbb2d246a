import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { startAgentAndEdge } from "../../support/agent-and-edge.ts";
import { RawClient } from "../../support/raw-client.ts";
import { startRawSite, startSite } from "../../support/site.ts";
import { closedPort } from "../../support/target.ts";

describe("forward() when something fails", () => {
  it("answers 502 when the target refuses, and the connection goes on", async () => {
    const { agent, client, ask } = await startSite((_, response) => response.end("still here"));
    const body = "x".repeat(100_000);
    const fields = `Host: x\r\nContent-Length: ${body.length}\r\n`;
    client.send(`POST http://127.0.0.1:${await closedPort()}/ HTTP/1.1\r\n${fields}\r\n${body}`);
    const answer = await client.until("connection-refused\n");
    expect(answer).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    ask("GET");
    await client.until("still here");
    const failed = 'edgesocks_requests_failed_total{reason="connection-refused"}';
    expect(await agent.metric(failed)).toBe(1);
  });

  it("answers 403 when the edge denies the target", async () => {
    const agent = await startAgentAndEdge({ allowPrivate: false });
    const client = new RawClient(agent.port);
    client.send("GET http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await client.until("denied\n")).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
  });

  it.each([
    ["nothing", ""],
    ["half a header", "HTTP/1.1 200 OK\r\nX: "],
    ["what is not HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
    [
      "a protocol that nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ])("answers 502 to a target that says %s", async (_what, answer) => {
    const { agent, client, ask } = await startRawSite(answer, "ends");
    ask("GET");
    expect(await client.until("Cannot reach the target: general\n")).toMatch(/^HTTP\/1\.1 502 /);
    expect(await agent.metric('edgesocks_requests_failed_total{reason="general"}')).toBe(1);
    expect(await agent.metric("edgesocks_streams")).toBe(0);
  });

  it.each([
    ["with a length", "Content-Length: 9\r\n\r\npart", "part"],
    ["in chunks", "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "part\r\n"],
    ["without a length", "\r\npart", "part\r\n"],
  ])("breaks off a body %s that the target broke off", async (_how, rest, part) => {
    const site = await startRawSite(`HTTP/1.1 200 OK\r\n${rest}`, "breaks off");
    site.ask("GET");
    await site.client.until(part);
    site.breakOff();
    expect(await site.client.end()).toBe("RST");
    const failed = 'edgesocks_clients_failed_total{code="connection-reset"}';
    expect(await site.agent.metric(failed)).toBe(1);
  });

  it.each([
    ["within its body", "POST", "Content-Length: 99\r\n", "part"],
    ["before the answer", "GET", "", ""],
  ])("breaks off the target when the client leaves %s", async (_when, method, fields, body) => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    const { agent, client, ask } = await startSite((request) => arrived.resolve(request));
    ask(method, "/", fields, body);
    const { socket } = await arrived.promise;
    const gone = new Promise((resolve) => socket.once("close", resolve));
    client.socket.destroy();
    await gone;
    expect(await agent.metric("edgesocks_streams")).toBe(0);
  });

  it("breaks off the target when the client leaves within the answer", async () => {
    const { client, ask } = await startSite((_, response) => {
      response.write("part");
      response.once("close", () => closed.resolve());
    });
    const closed = Promise.withResolvers<void>();
    ask("GET");
    await client.until("part");
    client.socket.destroy();
    await closed.promise;
  });

  it("turns a client away whose chunks are none", async () => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    const { client, ask } = await startSite((request) => arrived.resolve(request));
    ask("POST", "/", "Transfer-Encoding: chunked\r\n", "4\r\npart\r\n");
    const { socket } = await arrived.promise;
    const gone = new Promise((resolve) => socket.once("close", resolve));
    client.send("garbage\r\n");
    expect(await client.end()).toBe("FIN");
    expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
    await gone;
  });
});
