import { describe, expect, it, onTestFinished } from "vitest";
import { Gateway } from "../../../client-agent/listeners/gateway.ts";
import type { Users } from "../../../client-agent/listeners/users.ts";
import { HttpProxy } from "../../../client-agent/node/http-proxy.ts";
import { listen } from "../../../client-agent/node/listen.ts";
import type { NodeAgentOptions } from "../../../client-agent/node/serve-agent.ts";
import { Metrics } from "../../../client-agent/observe/metrics.ts";
import { nodeClock } from "../../../protocol/node/node-clock.ts";
import { startAgentAndEdge } from "../../support/agent-and-edge.ts";
import { recordedLog } from "../../support/log.ts";
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

describe("HttpConnection.prepare()", () => {
  const LINES = ["CONNECT 127.0.0.1:80", "GET http://127.0.0.1/"];

  /** A proxy that never has looked at a password, and tells when it stops to. */
  async function startUndecided(handshakeTimeoutMs: number) {
    const asked = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<unknown>();
    const users: Users = {
      isRequired: true,
      verify: (_name, _password, signal) => {
        asked.resolve();
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => {
            stopped.resolve(signal.reason);
            reject(signal.reason);
          }),
        );
      },
    };
    const gateway = new Gateway({
      clock: nodeClock,
      open: "honest",
      log: recordedLog(),
      metrics: new Metrics(),
      session: () => Promise.reject(new Error("The edge was asked")),
    });
    const proxy = new HttpProxy({ clock: nodeClock, gateway, users, handshakeTimeoutMs });
    const served = Promise.withResolvers<unknown>();
    const listener = await listen("127.0.0.1", 0, (client) =>
      proxy.serve(client, new Uint8Array(), () => undefined).then(served.resolve, served.resolve),
    );
    onTestFinished(() => listener.destroy());
    return {
      port: listener.port,
      asked: asked.promise,
      stopped: stopped.promise,
      served: served.promise,
    };
  }

  const login = `Proxy-Authorization: Basic ${btoa("ann:secret")}\r\n`;

  it.each(LINES)("answers %s with 503 when its time is over", async (line) => {
    const { port, stopped, served } = await startUndecided(50);
    const client = new RawClient(port).send(`${line} HTTP/1.1\r\nHost: x\r\n${login}\r\n`);
    expect(await client.until("within 0.05 s\n")).toMatch(
      /^HTTP\/1\.1 503 [^]*\r\n\r\nCannot authenticate: no answer within 0\.05 s\n$/,
    );
    expect(await stopped).toMatchObject({ code: "ERR_HANDSHAKE_TIMEOUT" });
    expect(await served).toMatchObject({ code: "ERR_HANDSHAKE_TIMEOUT" });
  });

  it.each(LINES)("stops when the client of %s breaks off", async (line) => {
    const { port, asked, stopped, served } = await startUndecided(600_000);
    const client = new RawClient(port).send(`${line} HTTP/1.1\r\nHost: x\r\n${login}\r\n`);
    await asked;
    client.socket.resetAndDestroy();
    expect(await stopped).toMatchObject({ reason: "connection-reset" });
    await served;
  });
});
