import type { LookupOptions } from "node:dns";
import { lookup } from "node:dns/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createNodeEgress } from "../../../edge-worker/node/node-egress.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { nodeClock } from "../../../protocol/node/node-clock.ts";
import { startResolver } from "../../support/fake-resolver.ts";
import { startSilentTarget } from "../../support/silent-target.ts";
import { closedPort, startTarget, type Target } from "../../support/target.ts";
import { strictPolicy } from "../../support/policies.ts";
import { recordedLog } from "../../support/log.ts";
import { nodeOutbound } from "../../../edge-worker/egress/outbound.ts";

// Names of RFC 6761 are answered here: a test asks no resolver but for "localhost", and gets no
// address beyond loopback.
vi.mock("node:dns/promises", async (importActual) => {
  const actual = await importActual<typeof import("node:dns/promises")>();
  return { ...actual, lookup: vi.fn(actual.lookup) };
});

const anything: Policy = () => undefined;
const never = new AbortController().signal;
const targets: Target[] = [];
const caller = {};
const egress = createNodeEgress({
  clock: nodeClock,
  maxDials: 16,
  log: recordedLog(),
  outbound: nodeOutbound,
});

type Found = { address: string; family: number };

/** What the resolver says from now on: addresses, or the error code of getaddrinfo. */
function resolveTo(answer: readonly Found[] | string): void {
  vi.mocked(lookup).mockImplementation((async (_name: string, { family = 0 }: LookupOptions) => {
    const error = (code: string): Error =>
      Object.assign(new Error(`getaddrinfo ${code}`), { code });
    if (typeof answer === "string") throw error(answer);
    const found = answer.filter((one) => family === 0 || one.family === family);
    if (found.length === 0) throw error("ENOTFOUND");
    return found;
  }) as never);
}

async function listenAt(host: string): Promise<Target> {
  const target = await startTarget((socket) => socket.pipe(socket), host);
  targets.push(target);
  return target;
}

const dial = (host: string, port: number, policy = anything, signal = never) =>
  egress.connect(parseAddress(host, port), policy, signal, caller);

/** Dials and expects a StreamError. */
async function failureOf(dialling: Promise<unknown>): Promise<StreamError> {
  const error: unknown = await dialling.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StreamError);
  return error as StreamError;
}

beforeEach(async () => {
  const actual = await vi.importActual<typeof import("node:dns/promises")>("node:dns/promises");
  vi.mocked(lookup).mockReset().mockImplementation(actual.lookup);
});

afterEach(async () => {
  for (const target of targets.splice(0)) await target.close();
});

describe("createNodeEgress(), connect()", () => {
  it.each([
    ["an IPv4 address", "127.0.0.1", "127.0.0.1"],
    ["an IPv6 address", "::1", "::1"],
    ["localhost", "localhost", "127.0.0.1"],
  ])("reaches %s", async (_what, host, listeningAt) => {
    const target = await listenAt(listeningAt);
    const incoming = target.next();
    const { channel, bound } = await dial(host, target.port);
    const { remoteAddress = "", remotePort = 0 } = await incoming;
    expect(bound).toEqual(parseAddress(remoteAddress, remotePort));
    await channel.write(Uint8Array.of(1, 2, 3));
    expect(await channel.read()).toEqual(Uint8Array.of(1, 2, 3));
    await channel.end();
    expect(await channel.read()).toBeNull();
  });

  it.each(["127.0.0.1", "::1"])("tells a refusal of %s", async (host) => {
    const error = await failureOf(dial(host, await closedPort()));
    expect(error.reason).toBe("connection-refused");
  });

  it("tells a refusal by all addresses of a name", async () => {
    resolveTo([at("::1"), at("127.0.0.1")]);
    const error = await failureOf(dial("dual.test", await closedPort()));
    expect(error.reason).toBe("connection-refused");
  });

  it.each([
    ["ENOTFOUND", "name-not-found"],
    ["ENODATA", "name-not-found"],
    ["EAI_AGAIN", "host-unreachable"],
    ["EAI_FAIL", "general"],
  ])("tells the resolver's %s", async (code, reason) => {
    resolveTo(code);
    expect(await failureOf(dial("no-such-name.invalid", 80))).toMatchObject({
      reason,
      message: expect.stringContaining(code) as string,
    });
  });

  it("ends a dial, and its socket, when the signal aborts", async () => {
    const silent = await startSilentTarget();
    const ending = new AbortController();
    const cancelled = new StreamError("cancelled", "The agent took the stream back");
    const dialling = failureOf(dial("127.0.0.1", silent.port, anything, ending.signal));
    ending.abort(cancelled);
    expect(await dialling).toBe(cancelled);
    await silent.close();
  });

  it("ends a dial while the name is looked up", async () => {
    const target = await listenAt("127.0.0.1");
    const answers: (() => void)[] = [];
    vi.mocked(lookup).mockImplementation((() => {
      return new Promise((resolve) => void answers.push(() => resolve([at("127.0.0.1")])));
    }) as never);
    const ending = new AbortController();
    const dialling = failureOf(dial("slow.test", target.port, anything, ending.signal));
    ending.abort(new StreamError("cancelled", "The agent took the stream back"));
    expect((await dialling).reason).toBe("cancelled");
    for (const answer of answers) answer();
    // Whatever was to be dialled would arrive before this.
    const probe = target.next();
    const { channel, bound } = await dial("127.0.0.1", target.port);
    expect((await probe).remotePort).toBe(bound.port);
    channel.abort(undefined);
  });

  it("leaves an established connection alone when the signal aborts later", async () => {
    const target = await listenAt("127.0.0.1");
    const ending = new AbortController();
    const { channel } = await dial("127.0.0.1", target.port, anything, ending.signal);
    ending.abort();
    await channel.write(Uint8Array.of(1));
    expect(await channel.read()).toEqual(Uint8Array.of(1));
    channel.abort(undefined);
  });
});

describe("createNodeEgress(), connect() by DNS over HTTPS", () => {
  it("asks the resolver that its operator has set, and dials what it says", async () => {
    const target = await listenAt("127.0.0.1");
    const resolver = await startResolver(() => ["127.0.0.1"]);
    const byHttps = createNodeEgress({
      clock: nodeClock,
      maxDials: 16,
      log: recordedLog(),
      outbound: { ...nodeOutbound, dnsUrls: [resolver.url] },
    });
    const name = parseAddress("by-https.test", target.port);
    const { channel } = await byHttps.connect(name, anything, never, caller);
    channel.abort(undefined);
    expect(new Set(resolver.asked)).toEqual(new Set(["by-https.test 1", "by-https.test 28"]));
    expect(lookup).not.toHaveBeenCalled();
    await expect(byHttps.connect(name, strictPolicy, never, caller)).rejects.toMatchObject({
      reason: "denied",
    });
    resolver.close();
  });
});

describe("createNodeEgress(), connect() and its bound", () => {
  const cancelled = new StreamError("cancelled", "The agent took the stream back");

  /** An egress of one dial, whose lookups the test answers. */
  function narrowEgress() {
    const answers: (() => void)[] = [];
    vi.mocked(lookup).mockImplementation((() => {
      return new Promise((_, reject) => {
        answers.push(() => reject(Object.assign(new Error("none"), { code: "ENOTFOUND" })));
      });
    }) as never);
    const narrow = createNodeEgress({
      clock: nodeClock,
      maxDials: 1,
      log: recordedLog(),
      outbound: nodeOutbound,
    });
    return { narrow, answers };
  }

  it("lets a dial wait for its turn, and go when its signal aborts", async () => {
    const { narrow, answers } = narrowEgress();
    const ending = new AbortController();
    const first = narrow.connect(parseAddress("slow.test", 80), anything, never, caller);
    const second = narrow.connect(parseAddress("next.test", 80), anything, ending.signal, caller);
    ending.abort(cancelled);
    expect(await failureOf(second)).toBe(cancelled);
    expect(lookup).toHaveBeenCalledOnce();
    for (const answer of answers) answer();
    expect((await failureOf(first)).reason).toBe("name-not-found");
  });

  it("counts an abandoned dial until its lookups have ended, as nothing ends those", async () => {
    const { narrow, answers } = narrowEgress();
    for (let i = 0; i < 100; i++) {
      const ending = new AbortController();
      const target = parseAddress(`flood-${i}.test`, 80);
      const dialling = narrow.connect(target, anything, ending.signal, {});
      ending.abort(cancelled);
      expect(await failureOf(dialling)).toBe(cancelled);
    }
    // For the first name, and nothing for the other 99.
    expect(lookup).toHaveBeenCalledOnce();
    const next = narrow.connect(parseAddress("next.test", 80), anything, never, caller);
    for (const answer of answers.splice(0)) answer();
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    for (const answer of answers) answer();
    expect((await failureOf(next)).reason).toBe("name-not-found");
  });
});

describe("createNodeEgress(), connect() and the policy", () => {
  it("denies a name that means loopback when private targets are not allowed", async () => {
    const target = await listenAt("127.0.0.1");
    resolveTo([at("127.0.0.1"), at("::1")]);
    const dialling = dial("rebound.test", target.port, strictPolicy);
    expect(await failureOf(dialling)).toMatchObject({ reason: "denied" });
    expect(target.sockets.size).toBe(0);
  });

  it("denies localhost itself", async () => {
    const target = await listenAt("127.0.0.1");
    const error = await failureOf(dial("localhost", target.port, strictPolicy));
    expect(error).toMatchObject({ reason: "denied" });
  });

  it("dials only those addresses of a name that the policy lets through", async () => {
    const [ipv4, asked] = [await listenAt("127.0.0.1"), [] as Address[]];
    const notIpv6: Policy = (address) => {
      asked.push(address);
      if (address.kind === "ipv6") throw new StreamError("denied", "Cannot connect: not IPv6");
    };
    resolveTo([at("::1"), at("127.0.0.1")]);
    const { channel, bound } = await dial("mixed.test", ipv4.port, notIpv6);
    expect(bound.kind).toBe("ipv4");
    const { port } = ipv4;
    expect(asked.map(formatAddress)).toEqual([`[::1]:${port}`, `127.0.0.1:${port}`]);
    channel.abort(undefined);
  });

  it("denies a name with an address that it cannot read", async () => {
    resolveTo([{ address: "::1%lo", family: 6 }]);
    const error = await failureOf(dial("zone.test", await closedPort(), strictPolicy));
    expect(["denied", "name-not-found"]).toContain(error.reason);
  });
});

function at(address: string): Found {
  return { address, family: address.includes(":") ? 6 : 4 };
}
