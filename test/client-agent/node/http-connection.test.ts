import { describe, expect, it, onTestFinished } from "vitest";
import type { NodeAgentOptions } from "../../../client-agent/node/serve-agent.ts";
import { startAgentAndEdge } from "../../support/agent-and-edge.ts";
import { RawClient } from "../../support/raw-client.ts";
import { startTarget } from "../../support/target.ts";

/** A client, and a target that answers when the test says so. */
async function clientAndTarget(changes: Partial<NodeAgentOptions> = {}) {
  const agent = await startAgentAndEdge(changes);
  const asked = Promise.withResolvers<() => void>();
  const target = await startTarget((socket) =>
    socket.once("data", () =>
      asked.resolve(() => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")),
    ),
  );
  onTestFinished(() => target.close());
  const client = new RawClient(agent.port);
  client.send(`GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
  return { agent, client, answer: await asked.promise };
}

const warnings = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith("warn "));

describe("HttpConnection between two requests", () => {
  it("ends one that waits too long, and counts no failure", async () => {
    const { agent, client, answer } = await clientAndTarget({ handshakeTimeoutMs: 50 });
    answer();
    await client.until("end");
    expect(await client.end()).toBe("FIN");
    expect(client.received).toBe("");
    await client.closed();
    expect(await agent.metric("edgesocks_clients")).toBe(0);
    expect(warnings(agent.log.lines)).toEqual([]);
  });

  it("answers 408 to half a header, as it does at the beginning", async () => {
    const { agent, client, answer } = await clientAndTarget({ handshakeTimeoutMs: 200 });
    answer();
    await client.until("end");
    client.send("GET http");
    expect(await client.end()).toBe("FIN");
    expect(client.received).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(warnings(agent.log.lines)).toEqual([expect.stringContaining("no whole header")]);
  });

  it("has no time limit while the target thinks", async () => {
    const { client, answer } = await clientAndTarget({ handshakeTimeoutMs: 20 });
    const silent = new RawClient((await startAgentAndEdge({ handshakeTimeoutMs: 40 })).port);
    await silent.end();
    answer();
    await client.until("end");
  });
});

describe("HttpConnection.close()", () => {
  it("ends a connection that only waits for a further request", { timeout: 5000 }, async () => {
    const { agent, client, answer } = await clientAndTarget();
    answer();
    await client.until("end");
    const stopped = agent.stop(30_000);
    expect(await client.end()).toBe("FIN");
    await stopped;
  });

  it("ends one that is being answered after the answer", { timeout: 5000 }, async () => {
    const { agent, client, answer } = await clientAndTarget();
    const stopped = agent.stop(30_000);
    answer();
    await client.until("end");
    expect(await client.end()).toBe("FIN");
    await stopped;
  });
});
