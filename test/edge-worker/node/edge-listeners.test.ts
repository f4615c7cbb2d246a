import { once } from "node:events";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  edgeHttpLimits,
  type EdgeListeners,
  type ListenerOptions,
  openListeners,
} from "../../../edge-worker/node/edge-listeners.ts";
import { portOf } from "../../../edge-worker/node/serve.ts";
import { certificatesMissing, makeCertificate } from "../../support/certificate.ts";
import { askRaw, pageRequest, upgradeRequest } from "../../support/raw-http.ts";
import { readToEnd } from "../../support/socks-client.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

async function open(changes: Partial<ListenerOptions> = {}) {
  const connections: Socket[] = [];
  const listeners = await openListeners({
    listen: [anyPort],
    listenPlain: [],
    pair: undefined,
    limits: edgeHttpLimits,
    connection: (socket) => void connections.push(socket),
    request: (_request, response) => response.end("page"),
    upgrade: (_request, socket) => socket.end("upgraded"),
    ...changes,
  });
  onTestFinished(() => {
    listeners.close();
    listeners.cut();
    for (const socket of connections) socket.destroy();
  });
  return { listeners, connections, port: portOf(listeners.endpoints) };
}

/** A TLS connection, and the text of the certificate it met. */
async function meet(
  port: number,
  options: ConnectionOptions = {},
): Promise<{ socket: TLSSocket; met: string }> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return { socket, met: socket.getPeerX509Certificate()?.toString() ?? "" };
}

describe("openListeners()", () => {
  it("opens all that it is told to, and serves the same at each", async () => {
    const path = join(tempFolder(), "edge.sock");
    const { listeners } = await open({ listen: [anyPort, { path }], listenPlain: [anyPort] });
    expect(listeners.endpoints).toHaveLength(3);
    for (const endpoint of listeners.endpoints) {
      const socket =
        "path" in endpoint ? connectTcp(endpoint.path) : connectTcp(endpoint.port, "127.0.0.1");
      socket.write(pageRequest("/"));
      expect(String(await readToEnd(socket))).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*page$/);
    }
  });

  it("opens none when one cannot be opened", async () => {
    const taken = createServer();
    taken.listen(0, "127.0.0.1");
    await once(taken, "listening");
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const free = { path: join(tempFolder(), "edge.sock") };
    const opening = open({ listen: [free], listenPlain: [{ host: "127.0.0.1", port }] });
    await expect(opening).rejects.toMatchObject({ code: "EADDRINUSE" });
    // It can be had again, by the same name.
    await expect(open({ listen: [free] })).resolves.toBeDefined();
  });

  it("hands on each connection, and each Upgrade", async () => {
    const { port, connections } = await open();
    expect(await askRaw(port, upgradeRequest("/"))).toBe("upgraded");
    expect(connections).toHaveLength(1);
  });
});

describe.skipIf(certificatesMissing !== undefined)("openListeners() with a certificate", () => {
  const first = { ...makeCertificateOnce(), expiresAt: 0 };

  it("speaks TLS where it listens, and HTTP at listenPlain", async () => {
    const { listeners } = await open({ listenPlain: [anyPort], pair: first });
    const [secure, plain] = listeners.endpoints.map((endpoint) => portOf([endpoint]));
    const { socket, met } = await meet(secure ?? 0);
    expect(met).toBe(first.cert);
    socket.write(pageRequest("/"));
    expect(String(await readToEnd(socket))).toContain("page");
    expect(await askRaw(plain ?? 0, pageRequest("/"))).toContain("page");
  });

  it("shows a renewed certificate to new connections, and open ones go on", async () => {
    const { listeners, port } = await open({ pair: first });
    const { socket } = await meet(port);
    const second = { ...makeCertificate(), expiresAt: 0 };
    listeners.renew(second);
    expect((await meet(port)).met).toBe(second.cert);
    socket.write(pageRequest("/"));
    expect(String(await readToEnd(socket))).toContain("page");
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("speaks %s", async (version) => {
    const { port } = await open({ pair: first });
    const { socket } = await meet(port, { minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
  });

  it.each(["before", "after"])("does not speak TLS 1.1, %s a renewal", async (when) => {
    const { listeners, port } = await open({ pair: first });
    if (when === "after") listeners.renew({ ...makeCertificate(), expiresAt: 0 });
    // Level 0, or OpenSSL would not even offer it.
    const old: ConnectionOptions = {
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL@SECLEVEL=0",
    };
    await expect(meet(port, old)).rejects.toMatchObject({
      code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
    });
  });

  it("cuts who does not shake hands in time", async () => {
    const limits = { ...edgeHttpLimits, headersTimeoutMs: 100 };
    const { port } = await open({ pair: first, limits });
    const socket = connectTcp(port, "127.0.0.1");
    await readToEnd(socket);
  });
});

describe("openListeners(), to those who are slow or long", () => {
  const soon = {
    ...edgeHttpLimits,
    headersTimeoutMs: 100,
    requestTimeoutMs: 300,
    checkEveryMs: 20,
  };

  it.each([
    ["says nothing", ""],
    ["begins a header", "GET / HTTP/1.1\r\nHost: x\r\n"],
    ["sends a header byte by byte", undefined],
  ])("cuts who %s", async (_what, text) => {
    const { port } = await open({ limits: soon });
    const socket = connectTcp(port, "127.0.0.1");
    const ended = readToEnd(socket);
    if (text !== undefined) socket.write(text);
    else {
      const timer = setInterval(() => socket.write("G"), 20);
      socket.on("error", () => {}).on("close", () => clearInterval(timer));
    }
    const answer = String(await ended.catch(() => ""));
    expect(answer === "" || answer.startsWith("HTTP/1.1 4")).toBe(true);
  });

  it("cuts who promises a body that does not come", async () => {
    const { port } = await open({ limits: soon, request: () => {} });
    const text = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
    expect(await askRaw(port, text)).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  it("cuts who keeps a connection and asks no more", async () => {
    const { port } = await open({ limits: { ...soon, keepAliveTimeoutMs: 50 } });
    expect(await askRaw(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")).toContain("page");
  });

  it("answers a header that is too large with 431", async () => {
    const { port } = await open();
    const line = `X-Long: ${"x".repeat(9000)}\r\n`;
    expect(await askRaw(port, pageRequest("/").replace("\r\n\r\n", `\r\n${line}\r\n`))).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  it("leaves an upgraded connection to its owner", async () => {
    const upgraded = Promise.withResolvers<Socket>();
    const { port } = await open({
      limits: soon,
      upgrade: (_r, socket) => upgraded.resolve(socket),
    });
    const client = connectTcp(port, "127.0.0.1");
    onTestFinished(() => void client.destroy());
    client.write(upgradeRequest("/"));
    expect((await upgraded.promise).timeout).toBe(0);
  });
});

describe("EdgeListeners.close()", () => {
  const isRefused = async (listeners: EdgeListeners): Promise<void> => {
    const [error] = await once(connectTcp(portOf(listeners.endpoints), "127.0.0.1"), "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  };

  it("takes no new connections, and lets a request under way end", async () => {
    const asked = Promise.withResolvers<() => void>();
    const { listeners, port } = await open({
      request: (_request, response) => asked.resolve(() => response.end("late")),
    });
    const answer = askRaw(port, pageRequest("/"));
    const finish = await asked.promise;
    listeners.close();
    await isRefused(listeners);
    finish();
    expect(await answer).toContain("late");
  });
});

function makeCertificateOnce() {
  return certificatesMissing === undefined ? makeCertificate() : { cert: "", key: "" };
}
