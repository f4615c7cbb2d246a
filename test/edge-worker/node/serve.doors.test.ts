import { once } from "node:events";
import { renameSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type NodeEdgeOptions,
  type RunningEdge,
  serveEdge,
} from "../../../edge-worker/node/serve.ts";
import { Admission } from "../../../protocol/admission.ts";
import {
  type Certificate,
  certificatesMissing,
  makeCertificate,
} from "../../support/certificate.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { askRaw, pageRequest } from "../../support/raw-http.ts";
import { connectRawAgent } from "../../support/raw-agent.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const anyPort = { host: "127.0.0.1", port: 0 };
const secret = "a secret long enough";
const admission = new Admission("test", secret);
const access = { keys: [{ id: "test", secret }], rules: [] };

async function startEdge(changes: Partial<NodeEdgeOptions> = {}) {
  const log = recordedLog();
  const parts = { ...edgeDoor, access, allowPrivate: false, connectTimeoutMs: 5000, log };
  const edge = await serveEdge({ ...parts, ...changes });
  onTestFinished(() => edge.stop(0));
  return { edge, log };
}

/** The certificate that an edge shows. */
async function shownBy({ port }: RunningEdge): Promise<string | undefined> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerX509Certificate()?.toString();
  socket.destroy();
  return certificate;
}

describe("serveEdge() at several places", () => {
  it("tells where, and takes agents at each", async () => {
    const listen = [anyPort, { host: "::1", port: 0 }];
    const { edge } = await startEdge({ listen, listenPlain: [anyPort] });
    expect(edge.listen).toMatchObject([{ host: "127.0.0.1" }, { host: "::1" }]);
    expect(edge.listenPlain).toMatchObject([{ host: "127.0.0.1" }]);
    const ports = [...edge.listen, ...edge.listenPlain].map((at) => ("port" in at ? at.port : 0));
    const hosts = ["127.0.0.1", "[::1]", "127.0.0.1"];
    for (const [index, port] of ports.entries()) {
      const agent = await connectRawAgent(new URL(`ws://${hosts[index]}:${port}/`), admission);
      await agent.close();
    }
  });

  it("leaves nothing open when its admin port is in use", async () => {
    const { edge } = await startEdge();
    const path = join(tempFolder(), "edge.sock");
    const admin = { host: "127.0.0.1", port: edge.port };
    await expect(startEdge({ listen: [{ path }], admin })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    const [error] = (await once(connect(path), "error")) as [Error];
    expect(error).toMatchObject({ code: "ENOENT" });
  });
});

describe("serveEdge() with an admin port", () => {
  it("serves counts there, and at no other port", async () => {
    const { edge } = await startEdge({ admin: anyPort });
    const agent = await connectRawAgent(new URL(`ws://127.0.0.1:${edge.port}/`), admission);
    const metrics = await (await fetch(`http://127.0.0.1:${edge.admin?.port}/metrics`)).text();
    expect(metrics).toContain("\nedgesocks_edge_sessions 1\n");
    expect(metrics).toContain("\nedgesocks_edge_carriers_admitted_total 1\n");
    expect(metrics).toContain("\nedgesocks_edge_connections 1\n");
    expect(await askRaw(edge.port, pageRequest("/metrics"))).toMatch(/^HTTP\/1\.1 404 /);
    await agent.close();
  });

  it("keeps it until the drain is over, and no longer", async () => {
    const { edge } = await startEdge({ admin: anyPort });
    await edge.stop(0);
    await expect(fetch(`http://127.0.0.1:${edge.admin?.port}/healthz`)).rejects.toMatchObject({
      cause: { code: "ECONNREFUSED" },
    });
  });
});

describe.skipIf(certificatesMissing !== undefined)("RunningEdge.renew()", () => {
  /** Puts a pair in place as certbot and Kubernetes do: by the turn of a symbolic link. */
  function place(folder: string, version: string, { cert, key }: Certificate): void {
    const made = tempFolder({ "cert.pem": cert, "key.pem": key });
    symlinkSync(made, join(folder, version));
    renameSync(join(folder, version), join(folder, "live"));
  }

  async function startSecure() {
    const folder = tempFolder();
    const first = makeCertificate();
    place(folder, "v1", first);
    const live = join(folder, "live");
    const tls = { certFile: join(live, "cert.pem"), keyFile: join(live, "key.pem") };
    return { folder, first, ...(await startEdge({ tls, admin: anyPort })) };
  }

  it("shows a renewed certificate, and tells when it ends", async () => {
    const { edge, folder, first, log } = await startSecure();
    expect(await shownBy(edge)).toBe(first.cert);
    const second = makeCertificate("rsa");
    place(folder, "v2", second);
    await edge.renew();
    expect(await shownBy(edge)).toBe(second.cert);
    expect(log.lines).toEqual([expect.stringMatching(/^info The certificate was renewed/)]);
    const metrics = await (await fetch(`http://127.0.0.1:${edge.admin?.port}/metrics`)).text();
    const ends = Number(/^edgesocks_edge_certificate_expires (.+)$/m.exec(metrics)?.[1]);
    expect(ends).toBeGreaterThan(Date.now() / 1000);
  });

  it("lets a connection go on that began with the old one", async () => {
    const { edge, folder } = await startSecure();
    const socket = connectTls({ port: edge.port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    place(folder, "v2", makeCertificate());
    await edge.renew();
    socket.write(pageRequest("/healthz"));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it("keeps the old certificate when the new one is broken, and names the file", async () => {
    const { edge, folder, first, log } = await startSecure();
    writeFileSync(join(folder, "live", "key.pem"), makeCertificate().key);
    await edge.renew();
    await edge.renew();
    expect(await shownBy(edge)).toBe(first.cert);
    expect(log.lines).toEqual([
      expect.stringMatching(
        /^warn Cannot use \S+key\.pem for tls-key: it is not the key of \S+cert\.pem\. The old/,
      ),
    ]);
  });
});

describe("RunningEdge.renew() without a certificate", () => {
  it("does nothing", async () => {
    const { edge } = await startEdge();
    await expect(edge.renew()).resolves.toBeUndefined();
  });
});
