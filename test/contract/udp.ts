import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Outbound } from "../../edge-worker/egress/outbound.ts";
import type { AccessEntries } from "../../edge-worker/users/access.ts";
import type { RunningEdge } from "../../edge-worker/node/serve.ts";
import { formatAddress, parseAddress } from "../../protocol/address.ts";
import { Admission } from "../../protocol/admission.ts";
import { Capability, Command } from "../../protocol/wire.ts";
import { Associations } from "../support/associations.ts";
import { certificatesMissing, makeCertificate } from "../support/certificate.ts";
import { type Coturn, coturnMissing, startCoturn } from "../support/coturn.ts";
import type { StartEdge } from "./edge.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { readExactly } from "../support/socks-client.ts";
import { patternOf, readAll } from "../support/stream-bytes.ts";
import { openUdpStream } from "../support/udp-stream.ts";

const secret = randomBytes(32).toString("base64url");
const keyId = "test";
const access: AccessEntries = { keys: [{ id: keyId, secret }], rules: [] };
const nothing = new Uint8Array();

/** An edge and one agent's session with it. */
interface EdgeAndAgent {
  readonly edge: RunningEdge;
  readonly agent: RawAgent;
}

/** UDP and BIND by a TURN server, and UDP switched off: the same for every edge. */
export function describeUdp(name: string, start: StartEdge, plain: Outbound): void {
  const open: EdgeAndAgent[] = [];
  const peers = new Associations();

  const startEdge = async (outbound: Outbound, allowPrivate = true): Promise<EdgeAndAgent> => {
    const edge = await start({ access, allowPrivate, connectTimeoutMs: 5000, outbound });
    const url = new URL(`ws://127.0.0.1:${edge.port}/`);
    const both = { edge, agent: await connectRawAgent(url, new Admission(keyId, secret)) };
    open.push(both);
    return both;
  };
  const closeAll = async (): Promise<void> => {
    for (const { agent, edge } of open.splice(0)) {
      await agent.close();
      await edge.stop(0);
    }
  };

  describe(`${name}, UDP switched off`, () => {
    afterEach(closeAll);

    it("says so in HELLO, and refuses associations", async () => {
      const { agent } = await startEdge({ ...plain, udp: "off" });
      expect(agent.hello.capabilities & (Capability.UdpNative | Capability.UdpDns)).toBe(0);
      const refused = { reason: "command-unsupported" };
      await expect(openUdpStream(agent.session)).rejects.toMatchObject(refused);
    });
  });

  describe.skipIf(coturnMissing !== undefined)(`${name}, UDP by coturn`, () => {
    let coturn: Coturn;
    let agent: RawAgent;

    beforeAll(async () => {
      coturn = await startCoturn();
      ({ agent } = await startEdge({ ...plain, udp: "turn", turn: coturn.settings }));
    });
    afterEach(() => peers.close());
    afterAll(async () => {
      await closeAll();
      await coturn.stop();
    });

    it("is announced in HELLO", () => {
      expect(agent.hello.capabilities & Capability.UdpNative).not.toBe(0);
      expect(agent.hello.capabilities & Capability.Bind).not.toBe(0);
    });

    it.each(["127.0.0.1", "::1"])("brings datagrams to %s, and the answers back", async (host) => {
      const echo = await peers.openEcho(host);
      const udp = await openUdpStream(agent.session);
      // The first waits for its permission, and those behind it go by the channel.
      for (let i = 0; i < 20; i++) {
        udp.send(echo.address, patternOf(i, 1 + i * 50));
        expect(await udp.next()).toEqual({ from: echo.address, bytes: patternOf(i, 1 + i * 50) });
      }
      await udp.close();
    });

    it("keeps several peers apart, of both families", async () => {
      const echoes = await Promise.all(
        ["127.0.0.1", "::1", "127.0.0.1", "127.0.0.1"].map((host) => peers.openEcho(host)),
      );
      const udp = await openUdpStream(agent.session);
      for (let round = 0; round < 3; round++) {
        for (const [i, { address }] of echoes.entries()) udp.send(address, Uint8Array.of(round, i));
        const answers = [];
        for (const _ of echoes) answers.push(await udp.next());
        for (const [i, { address }] of echoes.entries()) {
          expect(answers).toContainEqual({ from: address, bytes: Uint8Array.of(round, i) });
        }
      }
      await udp.close();
    });

    it("resolves names itself", async () => {
      const echo = await peers.openEcho();
      const udp = await openUdpStream(agent.session);
      udp.send(parseAddress("localhost", echo.address.port), Uint8Array.of(1));
      const { from, bytes } = await udp.next();
      expect(["127.0.0.1", "::1"]).toContain(from.host);
      expect(bytes).toEqual(Uint8Array.of(1));
      await udp.close();
    });

    it("lets nobody in but the address and port that were sent to", async () => {
      const [peer, stranger] = [await peers.openPeer(), await peers.openPeer()];
      const udp = await openUdpStream(agent.session);
      const incoming = peer.next();
      udp.send(peer.address, Uint8Array.of(1));
      const { port } = (await incoming).from;
      // The same IP address, which is all that a permission of TURN looks at.
      await stranger.send(Uint8Array.of(66), port);
      await peer.send(Uint8Array.of(2), port);
      expect(await udp.next()).toEqual({ from: peer.address, bytes: Uint8Array.of(2) });
      expect(udp.untaken).toEqual([]);
      await udp.close();
    });

    it("gives the relay back when the association ends", async () => {
      const before = coturn.lines.filter((line) => /refreshed.*lifetime=0/.test(line)).length;
      const udp = await openUdpStream(agent.session);
      await udp.close();
      const isBack = (): boolean =>
        coturn.lines.filter((line) => /refreshed.*lifetime=0/.test(line)).length > before;
      while (!isBack()) await new Promise((resolve) => setImmediate(resolve));
    });
  });

  const missing = coturnMissing ?? certificatesMissing;
  describe.skipIf(missing !== undefined)(`${name}, UDP by coturn and TLS`, () => {
    let folder: string;
    let certFile: string;
    let coturn: Coturn;
    const usual = getCACertificates();
    const usualFile = process.env["NODE_EXTRA_CA_CERTS"] ?? "";

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "edgesocks-turns-"));
      certFile = join(folder, "cert.pem");
      const keyFile = join(folder, "key.pem");
      const { cert, key } = makeCertificate();
      writeFileSync(certFile, cert);
      writeFileSync(keyFile, key);
      coturn = await startCoturn({ tls: { certFile, keyFile } });
    });
    afterEach(closeAll);
    afterAll(async () => {
      await coturn.stop();
      rmSync(folder, { recursive: true });
    });

    const open = async () => {
      const { agent } = await startEdge({ ...plain, udp: "turn", turn: coturn.settings });
      return openUdpStream(agent.session);
    };

    it("brings datagrams there and back when it trusts the certificate", async () => {
      // What NODE_EXTRA_CA_CERTS does: for this process it would have to be set before its start.
      setDefaultCACertificates([...usual, readFileSync(certFile, "utf8")]);
      process.env["NODE_EXTRA_CA_CERTS"] = certFile;
      onTestFinished(() => {
        setDefaultCACertificates(usual);
        process.env["NODE_EXTRA_CA_CERTS"] = usualFile;
      });
      const echo = await peers.openEcho();
      const udp = await open();
      udp.send(echo.address, patternOf(1, 1000));
      expect(await udp.next()).toEqual({ from: echo.address, bytes: patternOf(1, 1000) });
      await udp.close();
      await peers.close();
    });

    it("refuses associations when it does not", async () => {
      await expect(open()).rejects.toMatchObject({ name: "StreamError" });
    });
  });

  describe.skipIf(coturnMissing !== undefined)(`${name}, a TURN server that cannot be used`, () => {
    let coturn: Coturn;
    beforeAll(async () => {
      coturn = await startCoturn({ args: ["--no-tcp-relay"] });
    });
    afterEach(closeAll);
    afterAll(() => coturn.stop());

    it("refuses associations when it refuses the password", async () => {
      const turn = { ...coturn.settings, password: "another" };
      const { agent } = await startEdge({ ...plain, udp: "turn", turn });
      await expect(openUdpStream(agent.session)).rejects.toMatchObject({
        reason: "general",
        message: expect.stringContaining("refuses the user name or password") as string,
      });
    });

    it("relays nothing to addresses that the policy refuses", async () => {
      const turn = coturn.settings;
      const { agent } = await startEdge({ ...plain, udp: "turn", turn }, false);
      const peer = await peers.openPeer();
      const udp = await openUdpStream(agent.session);
      for (const host of ["127.0.0.1", "::1", "localhost"]) {
        udp.send(parseAddress(host, peer.address.port), Uint8Array.of(1));
      }
      await udp.close();
      await coturn.until(/refreshed.*lifetime=0/);
      expect(coturn.lines.filter((line) => line.includes("CREATE_PERMISSION"))).toEqual([]);
      expect(peer.received).toEqual([]);
      await peers.close();
    });
  });
}

/** BIND by a TURN server, for edges that have no other. */
export function describeTurnBind(name: string, start: StartEdge, plain: Outbound): void {
  describe.skipIf(coturnMissing !== undefined)(`${name}, BIND by coturn`, () => {
    let edge: RunningEdge;
    let agent: RawAgent;
    let coturn: Coturn;

    const startWith = async (args: readonly string[]): Promise<void> => {
      coturn = await startCoturn({ args });
      const outbound: Outbound = { ...plain, udp: "turn", turn: coturn.settings };
      edge = await start({ access, allowPrivate: true, connectTimeoutMs: 5000, outbound });
      const url = new URL(`ws://127.0.0.1:${edge.port}/`);
      agent = await connectRawAgent(url, new Admission(keyId, secret));
    };
    const bind = (host: string) =>
      agent.session.open(Command.Bind, parseAddress(host, 0), nothing).stream;

    afterEach(async () => {
      await agent.close();
      await edge.stop(0);
      await coturn.stop();
    });

    it.each(["127.0.0.1", "::1"])("lets the peer at %s in, and relays", async (host) => {
      await startWith([]);
      const stream = bind(host);
      const bound = await stream.answer();
      expect(bound.host).toBe(host);
      const peer = connect({ host, port: bound.port, allowHalfOpen: true });
      await once(peer, "connect");
      // coturn resets, and knows no orderly end.
      peer.on("error", () => {});
      // At once, so that it may come right behind the answer to ConnectionBind.
      peer.write("hello ");
      const { localPort = 0 } = peer;
      const { remote, ends } = await joined(stream, peer);
      expect(remote).toBe(formatAddress(parseAddress(host, localPort)));
      expect(ends).toEqual({ atAgent: "hello agent", atPeer: "hello peer" });
    });

    it("brings a megabyte to the peer before its end", async () => {
      await startWith([]);
      const stream = bind("127.0.0.1");
      const { port } = await stream.answer();
      const peer = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      peer.on("error", () => {});
      await stream.answer();
      const bytes = patternOf(1, 1_048_576);
      const chunks: Buffer[] = [];
      peer.on("data", (chunk: Buffer) => chunks.push(chunk));
      const closed = new Promise((resolve) => peer.once("close", resolve));
      peer.once("end", () => peer.end());
      await stream.write(bytes);
      await stream.end();
      await closed;
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    });

    it("refuses a peer without a name", async () => {
      await startWith([]);
      await expect(bind("0.0.0.0").answer()).rejects.toMatchObject({
        reason: "address-unsupported",
      });
    });

    it("answers command-unsupported when the server does not relay TCP", async () => {
      await startWith(["--no-tcp-relay"]);
      await expect(bind("127.0.0.1").answer()).rejects.toMatchObject({
        reason: "command-unsupported",
      });
    });
  });
}

/** Lets an accepted BIND and its peer talk. coturn ends both directions when either has ended. */
async function joined(
  stream: ReturnType<RawAgent["session"]["open"]>["stream"],
  peer: Socket,
): Promise<{ remote: string; ends: { atAgent: string; atPeer: string } }> {
  const remote = formatAddress(await stream.answer());
  const received = readAll(stream);
  await stream.write(Buffer.from("hello peer"));
  const atPeer = Buffer.from(await readExactly(peer, 10)).toString();
  peer.end("agent");
  while (received.end === undefined) await new Promise((resolve) => setImmediate(resolve));
  await stream.end();
  return { remote, ends: { atAgent: Buffer.from(received.bytes).toString(), atPeer } };
}
