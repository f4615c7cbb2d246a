import { createHash, randomBytes } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UpstreamEntries } from "../../edge-worker/egress/upstream/upstream-settings.ts";
import { serveEdge, type RunningEdge } from "../../edge-worker/node/serve.ts";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { Admission } from "../../protocol/admission.ts";
import type { FailureReason } from "../../protocol/errors.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Capability, Command } from "../../protocol/wire.ts";
import { type ChaosRelay, type Fault, startChaosRelay } from "../support/chaos-relay.ts";
import { type FakeSocksServer, startFakeSocksServer } from "../support/fake-socks-server.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import {
  missingPrograms,
  type ProxyProgram,
  startMicrosocks,
  startTinyproxy,
} from "../support/proxy-programs.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { settled } from "../support/settled.ts";
import { type SilentTarget, startSilentTarget } from "../support/silent-target.ts";
import { closedPort, startTarget, type Target } from "../support/target.ts";
import type { StartEdge } from "./edge.ts";

const nothing = new Uint8Array();
const secret = randomBytes(32).toString("base64url");
const user = { name: "ann", password: "p:w @1" };
const escaped = encodeURIComponent(user.password);
const BYTES = 300_000;
/** A fallback's turn comes after half of it. */
const CONNECT_TIMEOUT_MS = 2000;
/** Between the two edges one connection breaks each time so much has passed: more than a message holds. */
const BYTES_PER_LOSS = 300_000;
const QUICK_FAULTS: readonly Fault[] = ["reset", "end", "cut in mid-message"];

/** What the upstreams of each kind say; each key id of the edge under test has one of them. */
interface Expected {
  readonly id: string;
  readonly what: string;
  readonly refused: FailureReason;
  readonly unknownName: FailureReason;
}

const works: readonly Expected[] = [
  {
    id: "socks",
    what: "microsocks",
    refused: "connection-refused",
    unknownName: "name-not-found",
  },
  {
    id: "socks-user",
    what: "microsocks with a password",
    refused: "connection-refused",
    unknownName: "general",
  },
  { id: "http", what: "tinyproxy", refused: "general", unknownName: "name-not-found" },
  {
    id: "http-user",
    what: "tinyproxy with a password",
    refused: "general",
    unknownName: "general",
  },
  {
    id: "edge",
    what: "another edge",
    refused: "connection-refused",
    unknownName: "name-not-found",
  },
];

const broken = [
  ["socks-wrong", "microsocks refuses the password"],
  ["socks-none", "microsocks wants a password that is not set"],
  ["socks-down", "the SOCKS5 proxy is down"],
  ["http-wrong", "tinyproxy refuses the password"],
  ["http-none", "tinyproxy wants a password that is not set"],
  ["http-down", "the HTTP proxy is down"],
  ["edge-wrong", "the other edge does not know the secret"],
  ["edge-down", "the other edge is down"],
] as const;

/** Upstreams of an edge, by real programs, whatever the edge runs on. */
export function describeUpstreams(name: string, start: StartEdge): void {
  const missing = missingPrograms("microsocks", "tinyproxy");
  if (missing !== undefined) process.stderr.write(`Skipping upstreams of ${name}: ${missing}\n`);

  describe.skipIf(missing !== undefined)(`${name}, upstreams (skipped without programs)`, () => {
    const stops: (() => Promise<unknown>)[] = [];
    const agents = new Map<string, RawAgent>();
    let edge: RunningEdge;
    let echo: Target;
    let second: Target;
    let elsewhere: Target;
    let untouched: Target;
    let touched = 0;
    let fake: FakeSocksServer;
    let silent: SilentTarget;
    let between: ChaosRelay;

    /** Stops `running` after the tests. */
    const keep = async <Thing extends ProxyProgram | RunningEdge>(
      starting: Promise<Thing>,
    ): Promise<Thing> => {
      const thing = await starting;
      stops.push(() => thing.stop(0));
      return thing;
    };

    beforeAll(async () => {
      echo = await startTarget((socket) => socket.pipe(socket));
      second = await startTarget((socket) => socket.pipe(socket));
      elsewhere = await startTarget((socket) => socket.end("elsewhere"));
      fake = await startFakeSocksServer(elsewhere.port);
      silent = await startSilentTarget();
      untouched = await startTarget(() => void touched++);
      // One after the other: each takes a port that was free a moment ago.
      const socks = await keep(startMicrosocks());
      const socksUser = await keep(startMicrosocks(user));
      const http = await keep(startTinyproxy());
      const httpUser = await keep(startTinyproxy({ name: user.name, password: "secret" }));
      const far = await keep(startFarEdge());
      between = await startChaosRelay(far.port, loseNowAndThen);
      const down = await closedPort();
      const always = (id: string, url: string): UpstreamEntries[number] => ({
        url,
        mode: "always",
        users: [id],
      });
      const at = (port: number): string => `127.0.0.1:${port}`;
      const upstreams: UpstreamEntries = [
        always("socks", `socks5://${at(socks.port)}`),
        {
          ...always("socks-user", `socks5://ann:${escaped}@${at(socksUser.port)}`),
          resolve: "upstream",
        },
        always("socks-wrong", `socks5://ann:wrong@${at(socksUser.port)}`),
        always("socks-none", `socks5://${at(socksUser.port)}`),
        always("socks-down", `socks5://${at(down)}`),
        always("http", `http://${at(http.port)}`),
        { ...always("http-user", `http://ann:secret@${at(httpUser.port)}`), resolve: "upstream" },
        always("http-wrong", `http://ann:wrong@${at(httpUser.port)}`),
        always("http-none", `http://${at(httpUser.port)}`),
        always("http-down", `http://${at(down)}`),
        always("edge", `ws://far:${secret}@${at(far.port)}/some/path`),
        always("edge-lossy", `ws://far:${secret}@${at(between.port)}/`),
        always("edge-wrong", `ws://far:${secret.toLowerCase()}x@${at(far.port)}/`),
        always("edge-down", `ws://far:${secret}@${at(down)}/`),
        { url: `socks5://${at(fake.port)}`, users: ["fallback"] },
        { ...always("ports", `socks5://${at(fake.port)}`), ports: [second.port] },
        {
          ...always("names", `socks5://${at(fake.port)}`),
          resolve: "upstream",
          to: [".far.example", "192.0.2.0/24"],
        },
        { ...always("next", `socks5://${at(down)}`) },
        { ...always("next", `socks5://${at(fake.port)}`) },
      ];
      const ids = new Set(upstreams.flatMap(({ users = [] }) => users));
      const access = { keys: ["plain", ...ids].map((id) => ({ id, secret })), rules: [] };
      const options = { access, allowPrivate: true, connectTimeoutMs: CONNECT_TIMEOUT_MS };
      edge = await keep(start({ ...options, upstreams }));
    });
    afterAll(async () => {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
      for (const stop of stops.toReversed()) await stop();
      await Promise.all(
        [echo, second, elsewhere, untouched, fake, silent, between].map((it) => it.close()),
      );
    });

    const agentOf = async (id: string): Promise<RawAgent> => {
      const url = new URL(`ws://127.0.0.1:${edge.port}/`);
      const agent = agents.get(id) ?? (await connectRawAgent(url, new Admission(id, secret)));
      agents.set(id, agent);
      return agent;
    };
    const open = async (
      id: string,
      host: string,
      port: number,
      command: Command = Command.Connect,
    ) => {
      const { stream } = (await agentOf(id)).session.open(
        command,
        parseAddress(host, port),
        nothing,
      );
      return { stream, outcome: settled(stream.answer()) };
    };
    /** What the target at the end of the way says at once. */
    const greeting = async (id: string, host: string, port: number): Promise<string> => {
      const { stream, outcome } = await open(id, host, port);
      expect(await outcome).not.toBeInstanceOf(Error);
      const chunk = await stream.read();
      stream.abort("over");
      return new TextDecoder().decode(chunk ?? nothing);
    };

    describe.each(works)("$what", ({ id, refused, unknownName }) => {
      it("brings bytes there and back unchanged, to an address and to a name", async () => {
        for (const host of ["127.0.0.1", "localhost"]) {
          const { stream, outcome } = await open(id, host, echo.port);
          expect(await outcome).not.toBeInstanceOf(Error);
          const [sent, received] = await roundTrip(stream);
          expect(received).toBe(sent);
        }
      });

      it(`answers ${refused} when the target refuses`, async () => {
        const { outcome } = await open(id, "127.0.0.1", await closedPort());
        expect(await outcome).toMatchObject({ reason: refused });
      });

      it(`answers ${unknownName} for a name that does not exist`, async () => {
        const { outcome } = await open(id, "no-such-name.invalid", 80);
        expect(await outcome).toMatchObject({ reason: unknownName });
      });

      it("goes on after failures", async () => {
        const { stream, outcome } = await open(id, "127.0.0.1", echo.port);
        expect(await outcome).not.toBeInstanceOf(Error);
        const [sent, received] = await roundTrip(stream);
        expect(received).toBe(sent);
      });
    });

    it.each(broken)("%s: answers edge-unavailable when %s, and goes nowhere else", async (id) => {
      const { outcome } = await open(id, "127.0.0.1", untouched.port);
      const failure = (await outcome) as Error;
      expect(failure).toMatchObject({ reason: "edge-unavailable" });
      expect(failure.message).not.toMatch(new RegExp(`wrong|${secret}|127\\.0\\.0\\.1`, "i"));
      expect(touched).toBe(0);
    });

    describe("which way", () => {
      it("is the direct one for a user without an upstream", async () => {
        expect(await greeting("plain", "127.0.0.1", elsewhere.port)).toBe("elsewhere");
        expect(fake.asked).toEqual([]);
      });

      it("is by the fallback for a target that stays silent", async () => {
        expect(await greeting("fallback", "127.0.0.1", silent.port)).toBe("elsewhere");
        expect(fake.asked).toEqual([`127.0.0.1:${silent.port}`]);
      });

      it("is not by the fallback for a target that answers or refuses", async () => {
        const asked = [...fake.asked];
        const { stream, outcome } = await open("fallback", "127.0.0.1", echo.port);
        expect(await outcome).not.toBeInstanceOf(Error);
        stream.abort("over");
        const refused = await open("fallback", "127.0.0.1", await closedPort());
        expect(await refused.outcome).toMatchObject({ reason: "connection-refused" });
        expect(fake.asked).toEqual(asked);
      });

      it("depends on the port", async () => {
        expect(await greeting("ports", "127.0.0.1", second.port)).toBe("elsewhere");
        const { stream, outcome } = await open("ports", "127.0.0.1", echo.port);
        expect(await outcome).not.toBeInstanceOf(Error);
        const [sent, received] = await roundTrip(stream);
        expect(received).toBe(sent);
      });

      it("depends on the name or the address", async () => {
        expect(await greeting("names", "a.far.example", 1234)).toBe("elsewhere");
        expect(await greeting("names", "192.0.2.9", 1234)).toBe("elsewhere");
        expect(fake.asked.slice(-2)).toEqual(["a.far.example:1234", "192.0.2.9:1234"]);
      });

      it("is by the next upstream when the first is down", async () => {
        expect(await greeting("next", "127.0.0.1", echo.port)).toBe("elsewhere");
      });
    });

    describe("what another edge does beyond TCP", () => {
      it("is announced in HELLO", async () => {
        const { capabilities } = (await agentOf("edge")).hello;
        expect(capabilities & Capability.Bind).not.toBe(0);
        expect(capabilities & Capability.UdpNative).not.toBe(0);
      });

      it("relays UDP", async () => {
        const target = await startUdpEcho();
        const { stream, outcome } = await open("edge", "0.0.0.0", 0, Command.UdpAssociate);
        expect(await outcome).not.toBeInstanceOf(Error);
        const arrived = Promise.withResolvers<[Address, string]>();
        stream.onDatagram((from, bytes) =>
          arrived.resolve([from, new TextDecoder().decode(bytes)]),
        );
        const to = parseAddress("127.0.0.1", target.address().port);
        stream.sendDatagram(to, new TextEncoder().encode("ping"));
        expect(await arrived.promise).toEqual([to, "ping"]);
        stream.abort("over");
        target.close();
      });

      it("listens for a BIND", async () => {
        const { stream, outcome } = await open("edge", "127.0.0.1", 0, Command.Bind);
        const bound = (await outcome) as Address;
        const peer = connect(bound.port, "127.0.0.1");
        const second = await stream.answer();
        expect(second.port).toBe(peer.localPort);
        peer.end("from the peer");
        expect(new TextDecoder().decode((await stream.read()) ?? nothing)).toBe("from the peer");
        stream.abort("over");
        peer.destroy();
      });

      it("outlives the loss of the way to it, again and again", async () => {
        const streams = await Promise.all(
          [1, 2, 3, 4].map(() => open("edge-lossy", "127.0.0.1", echo.port)),
        );
        for (const [sent, received] of await Promise.all(
          streams.map(async ({ stream, outcome }) => {
            expect(await outcome).not.toBeInstanceOf(Error);
            return roundTrip(stream);
          }),
        )) {
          expect(received).toBe(sent);
        }
        expect(between.totals.losses).toBeGreaterThanOrEqual(5);
      });

      it("resolves names", async () => {
        const { outcome } = await open("edge", "localhost", 0, Command.Resolve);
        expect(["127.0.0.1", "::1"]).toContain(((await outcome) as Address).host);
      });

      it("is refused where the only way is a proxy", async () => {
        for (const [command, host] of [
          [Command.Bind, "127.0.0.1"],
          [Command.Resolve, "localhost"],
        ] as const) {
          const { outcome } = await open("socks", host, 0, command);
          expect(await outcome).toMatchObject({ reason: "command-unsupported" });
        }
      });
    });
  });
}

/** Breaks what there is, each time in the next way, once enough has passed since the last time. */
function loseNowAndThen(relay: ChaosRelay): void {
  const { totals } = relay;
  if (totals.bytes < (totals.losses + 1) * BYTES_PER_LOSS) return;
  relay.strike(QUICK_FAULTS[totals.losses % QUICK_FAULTS.length] ?? "reset", 0);
}

function startFarEdge(): Promise<RunningEdge> {
  return serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: "far", secret }], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    maxDials: 100,
    log: recordedLog(),
  });
}

/**
 * Sends bytes to an echo, and ends when all are back, as these proxies keep no half-closed
 * connections; the SHA-256 of what went and what came back.
 */
async function roundTrip(stream: Stream): Promise<[sent: string, received: string]> {
  const bytes = randomBytes(BYTES);
  const sending = stream.write(bytes);
  const hash = createHash("sha256");
  for (let left = bytes.length; left > 0;) {
    const chunk = await stream.read();
    if (chunk === null) throw new Error(`The echo ended ${left} bytes early`);
    left -= chunk.length;
    hash.update(chunk);
  }
  await sending;
  await stream.end();
  return [createHash("sha256").update(bytes).digest("hex"), hash.digest("hex")];
}

async function startUdpEcho(): Promise<UdpSocket> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, { address, port }) => socket.send(bytes, port, address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}
