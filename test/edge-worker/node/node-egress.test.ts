import { lookup } from "node:dns";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeEgress } from "../../../edge-worker/node/node-egress.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { startSilentTarget } from "../../support/silent-target.ts";
import { closedPort, startTarget, type Target } from "../../support/target.ts";
import { strictPolicy } from "../../support/policies.ts";

// Names of RFC 6761 are answered here: a test asks no resolver but for "localhost", and gets no
// address beyond loopback.
vi.mock("node:dns", async (importActual) => {
  const actual = await importActual<typeof import("node:dns")>();
  return { ...actual, lookup: vi.fn(actual.lookup) };
});

const anything: Policy = () => undefined;
const never = new AbortController().signal;
const targets: Target[] = [];

type Found = { address: string; family: number };

/** What the resolver says from now on: addresses, or the error code of getaddrinfo. */
function resolveTo(answer: readonly Found[] | string): void {
  vi.mocked(lookup).mockImplementation(((_name: string, _options: unknown, callback: Function) => {
    if (typeof answer === "string") {
      callback(Object.assign(new Error(`getaddrinfo ${answer}`), { code: answer }), []);
    } else callback(null, answer);
  }) as never);
}

async function listenAt(host: string): Promise<Target> {
  const target = await startTarget((socket) => socket.pipe(socket), host);
  targets.push(target);
  return target;
}

const dial = (host: string, port: number, policy = anything, signal = never) =>
  nodeEgress.connect(parseAddress(host, port), policy, signal);

/** Dials and expects a StreamError. */
async function failureOf(dialling: Promise<unknown>): Promise<StreamError> {
  const error: unknown = await dialling.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StreamError);
  return error as StreamError;
}

beforeEach(async () => {
  const actual = await vi.importActual<typeof import("node:dns")>("node:dns");
  vi.mocked(lookup).mockReset().mockImplementation(actual.lookup);
});

afterEach(async () => {
  for (const target of targets.splice(0)) await target.close();
});

describe("nodeEgress.connect()", () => {
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
    vi.mocked(lookup).mockImplementation(((
      _name: string,
      _options: unknown,
      callback: Function,
    ) => {
      answers.push(() => callback(null, [at("127.0.0.1")]));
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

describe("nodeEgress.connect() and the policy", () => {
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
    expect(asked.map(formatAddress)).toEqual(["[::1]:0", "127.0.0.1:0"]);
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
