import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import ipaddr from "ipaddr.js";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ForwardedField } from "../../../edge-worker/forwarded.ts";
import { type NodeEdgeOptions, serveEdge } from "../../../edge-worker/node/serve.ts";
import { createDial } from "../../../protocol/node/dial-carrier.ts";
import { Admission } from "../../../protocol/admission.ts";
import { ByteWriter } from "../../../protocol/bytes.ts";
import { appendFrame } from "../../../protocol/frame.ts";
import { FrameType } from "../../../protocol/wire.ts";
import { certificatesMissing, makeCertificate } from "../../support/certificate.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { askRaw, pageRequest, upgradeRequest } from "../../support/raw-http.ts";
import { helloWith } from "../../support/session-pair.ts";
import { readToEnd } from "../../support/socks-client.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const PATH = "/some/path";
const secret = "a secret long enough";
const admission = new Admission("test", secret);
const access = { keys: [{ id: "test", secret }], rules: [] };

async function startEdge(changes: Partial<NodeEdgeOptions> = {}) {
  const log = recordedLog();
  const parts = { ...edgeDoor, access, allowPrivate: false, connectTimeoutMs: 5000, log };
  const edge = await serveEdge({ ...parts, ...changes });
  onTestFinished(() => edge.stop(0));
  return { edge, log, port: edge.port };
}

/** A guard that believes 127.0.0.1 about these fields. */
function behindProxy(perAddress: number, ...fields: ForwardedField[]): NodeEdgeOptions["guard"] {
  return {
    maxConnections: 100,
    maxConnectionsPerAddress: perAddress,
    proxies: { ranges: [ipaddr.parseCIDR("127.0.0.1/32")], isUnixTrusted: false, fields },
  };
}

/** An Upgrade request with a fresh token for `host`, and more fields. */
async function upgrade(
  fields: Readonly<Record<string, string>> = {},
  host = "127.0.0.1",
): Promise<string> {
  const token = await admission.issue({ host, path: PATH }, Date.now());
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return upgradeRequest(PATH, token).replace(/\r\n\r\n$/, `\r\n${lines.join("")}\r\n`);
}

/** Sends a request and gives the status of its answer; the connection stays open. */
async function statusOf(port: number, request: string, localAddress?: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", ...(localAddress ? { localAddress } : {}) });
  onTestFinished(() => void socket.destroy());
  socket.write(request);
  const [first] = (await once(socket, "data")) as [Buffer];
  return first.toString().slice(9, 12);
}

describe("serveEdge() with as many connections as it may have", () => {
  const guard = { ...edgeDoor.guard, maxConnectionsPerAddress: 2 };

  it("cuts off one address more, and serves others", async () => {
    const { port, log } = await startEdge({ guard });
    for (let i = 0; i < 2; i++) expect(await statusOf(port, await upgrade())).toBe("101");
    expect(await askRaw(port, pageRequest("/")).catch(() => "")).toBe("");
    expect(await statusOf(port, pageRequest("/"), "127.0.0.2")).toBe("200");
    expect(log.lines.filter((line) => line.startsWith("warn"))).toEqual([
      expect.stringContaining("Connections are refused"),
    ]);
  });

  it("lets one in when one has left", async () => {
    const { port } = await startEdge({ guard: { ...guard, maxConnectionsPerAddress: 1 } });
    const socket = connect(port, "127.0.0.1");
    socket.write(await upgrade());
    await once(socket, "data");
    expect(await askRaw(port, pageRequest("/")).catch(() => "")).toBe("");
    socket.destroy();
    // The edge hears of it in its own time.
    const poll = expect.poll(() => askRaw(port, pageRequest("/")).catch(() => ""));
    await poll.toMatch(/^HTTP\/1\.1 200 /);
  });

  it("cuts off connections beyond the whole", async () => {
    const { port } = await startEdge({ guard: { ...edgeDoor.guard, maxConnections: 1 } });
    expect(await statusOf(port, await upgrade())).toBe("101");
    const other = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    expect(String(await readToEnd(other).catch(() => ""))).toBe("");
  });

  it.skipIf(certificatesMissing !== undefined)("does so before TLS begins", async () => {
    const { cert, key } = makeCertificate();
    const folder = tempFolder({ "cert.pem": cert, "key.pem": key });
    const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
    const { port } = await startEdge({ tls, guard: { ...edgeDoor.guard, maxConnections: 1 } });
    const options = { port, host: "127.0.0.1", rejectUnauthorized: false };
    const one = connectTls(options);
    onTestFinished(() => void one.destroy());
    await once(one, "secureConnect");
    const [error] = (await once(connectTls(options), "error")) as [Error];
    expect(error).toMatchObject({ code: "ECONNRESET" });
  });
});

describe("serveEdge() behind a proxy that it trusts", () => {
  it("counts carriers by the client that the proxy names", async () => {
    const { port, log } = await startEdge({ guard: behindProxy(1, "x-forwarded-for") });
    const ask = async (client: string) =>
      statusOf(port, await upgrade({ "X-Forwarded-For": client }));
    expect(await ask("192.0.2.7")).toBe("101");
    expect(await ask("192.0.2.7")).toBe("429");
    expect(await ask("192.0.2.8, 192.0.2.7")).toBe("429");
    expect(await ask("192.0.2.8")).toBe("101");
    expect(log.lines).toContain('info A carrier was admitted {"from":"192.0.2.7"}');
  });

  it("tells a stranger nothing of that", async () => {
    const { port } = await startEdge({ guard: behindProxy(1, "x-forwarded-for") });
    const forwarded = { "X-Forwarded-For": "192.0.2.7" };
    expect(await statusOf(port, await upgrade(forwarded))).toBe("101");
    const strange = upgradeRequest(PATH).replace(
      /\r\n\r\n$/,
      "\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n",
    );
    expect(await askRaw(port, strange)).toBe(await askRaw(port, pageRequest("/no/such/page")));
  });

  it("believes nobody else", async () => {
    const { port, log } = await startEdge({ guard: behindProxy(9, "x-forwarded-for") });
    const request = await upgrade({ "X-Forwarded-For": "192.0.2.7" });
    expect(await statusOf(port, request, "127.0.0.2")).toBe("101");
    expect(log.lines).toContain('info A carrier was admitted {"from":"127.0.0.2"}');
  });

  it.each([
    ["x-forwarded-host", { "X-Forwarded-Host": "edge.example" }],
    ["forwarded", { Forwarded: "for=192.0.2.7;host=edge.example" }],
  ] as const)("takes the host that a token is bound to from %s", async (field, fields) => {
    const { port } = await startEdge({ guard: behindProxy(9, field) });
    expect(await statusOf(port, await upgrade(fields, "edge.example"))).toBe("101");
    expect(await statusOf(port, await upgrade(fields, "other.example"))).toBe("404");
    // Without the field it is the Host of the request, as ever.
    expect(await statusOf(port, await upgrade({}, "127.0.0.1"))).toBe("101");
    // And a stranger's field binds nothing.
    expect(await statusOf(port, await upgrade(fields, "edge.example"), "127.0.0.2")).toBe("404");
  });

  it("passes over a host that is none", async () => {
    const { port } = await startEdge({ guard: behindProxy(9, "x-forwarded-host") });
    const request = await upgrade({ "X-Forwarded-Host": "a b" });
    expect(await statusOf(port, request)).toBe("101");
  });

  it("leaves X-Forwarded-Host alone unless told that the proxy sets it", async () => {
    const { port } = await startEdge({ guard: behindProxy(9, "x-forwarded-for") });
    const request = await upgrade({ "X-Forwarded-Host": "edge.example" }, "edge.example");
    expect(await statusOf(port, request)).toBe("404");
  });

  it("serves a proxy that comes by a Unix socket", async () => {
    const path = join(tempFolder(), "edge.sock");
    const guard = behindProxy(9, "x-forwarded-for");
    const { log } = await startEdge({
      listen: [{ path }],
      guard: { ...guard, proxies: { ...guard.proxies, isUnixTrusted: true } },
    });
    const socket = connect(path);
    onTestFinished(() => void socket.destroy());
    socket.write(await upgrade({ "X-Forwarded-For": "192.0.2.7" }));
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 101 /);
    expect(log.lines).toContain('info A carrier was admitted {"from":"192.0.2.7"}');
  });
});

describe("serveEdge() while it stops", () => {
  /** A connection on which a request has been answered, and the next has begun with "GET". */
  async function inMidRequest(port: number): Promise<Socket> {
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    // In one piece, so that who answers the first has seen the second begin.
    socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET");
    await once(socket, "data");
    return socket;
  }

  it("answers an agent with 503, and a stranger as ever", async () => {
    const { edge, port } = await startEdge();
    const page = await askRaw(port, pageRequest("/no/such/page"));
    const url = new URL(`ws://127.0.0.1:${port}/`);
    const open = await createDial(url, admission)(new AbortController().signal);
    const carrier = open({ message: () => {}, closed: () => {} });
    const greeting = new ByteWriter();
    appendFrame(greeting, { type: FrameType.Hello, hello: helloWith() });
    carrier.send(greeting.take(), () => {});
    const [agent, stranger] = [await inMidRequest(port), await inMidRequest(port)];
    // The carrier does not leave, though it is asked to, and so the edge goes on.
    const stopping = edge.stop(60_000);
    const answers = Promise.all([readToEnd(agent), readToEnd(stranger)]);
    agent.write((await upgrade()).slice(3));
    stranger.write(pageRequest("/no/such/page").slice(3));
    const [toAgent, toStranger] = (await answers).map(String);
    expect(toAgent).toMatch(/^HTTP\/1\.1 503 /);
    expect(toStranger?.replace(/^Date: [^\r]*\r\n/im, "")).toBe(page);
    carrier.close(1000, "");
    await stopping;
  });
});
