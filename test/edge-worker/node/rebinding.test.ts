import type { LookupOptions } from "node:dns";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createNodeEgress } from "../../../edge-worker/node/node-egress.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { nodeClock } from "../../../protocol/node/node-clock.ts";
import { Associations } from "../../support/associations.ts";
import { hex, toHex } from "../../support/hex.ts";
import { startTarget, type Target } from "../../support/target.ts";
import { recordedLog } from "../../support/log.ts";
import { nodeOutbound } from "../../../edge-worker/egress/outbound.ts";

/*
 * A resolver that gives another answer each time it is asked: first an address that the policy
 * lets through, then one that it does not. What was checked is what must be used.
 */
vi.mock("node:dns/promises", () => ({ lookup: vi.fn(), reverse: vi.fn() }));

const PUBLIC = "127.0.0.1";
const PRIVATE = "127.0.0.2";
const never = new AbortController().signal;
const egress = createNodeEgress({
  clock: nodeClock,
  maxDials: 16,
  log: recordedLog(),
  outbound: nodeOutbound,
});
const associations = new Associations();
const targets: Target[] = [];

/** Stands for the real one, as all of loopback is private: 127.0.0.2 is denied here, 127.0.0.1 is not. */
const policy: Policy = ({ host }) => {
  if (host !== PRIVATE) return undefined;
  throw new StreamError("denied", "Cannot connect: the address is private");
};

/** The IPv4 answers, one for each time somebody asks; the last goes on for ever. */
function answerWith(...answers: readonly string[]): void {
  let asked = 0;
  vi.mocked(lookup).mockImplementation((async (_name: string, { family, all }: LookupOptions) => {
    if (family === 6) throw Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" });
    const address = answers[Math.min(asked++, answers.length - 1)];
    return all ? [{ address, family: 4 }] : { address, family: 4 };
  }) as never);
}

/** The same port at both addresses; what connects there stands in `sockets`. */
async function listenAtBoth(): Promise<{ open: Target; forbidden: Target; port: number }> {
  const open = await startTarget(() => {}, PUBLIC);
  const forbidden = await startTarget(() => {}, PRIVATE, open.port);
  targets.push(open, forbidden);
  return { open, forbidden, port: open.port };
}

const dial = (name: Address) => egress.connect(name, policy, never, targets);

beforeEach(() => answerWith(PUBLIC, PRIVATE));

afterEach(async () => {
  await associations.close();
  for (const target of targets.splice(0)) await target.close();
  vi.mocked(lookup).mockReset();
});

describe("CONNECT on Node", () => {
  it("dials the very address that passed, and asks no second time", async () => {
    const { open, forbidden, port } = await listenAtBoth();
    const incoming = open.next();
    const { channel } = await dial(parseAddress("rebinding.example", port));
    await incoming;
    expect(lookup).toHaveBeenCalledOnce();
    expect(forbidden.sockets.size).toBe(0);
    channel.abort(undefined);
  });

  it("denies a name whose first answer is private, whatever comes then", async () => {
    answerWith(PRIVATE, PUBLIC);
    const { open, forbidden, port } = await listenAtBoth();
    const dialling = dial(parseAddress("rebinding.example", port));
    await expect(dialling).rejects.toMatchObject({ reason: "denied" });
    expect([open.sockets.size, forbidden.sockets.size]).toEqual([0, 0]);
  });

  it("asks the policy about each new answer", async () => {
    const { forbidden, open, port } = await listenAtBoth();
    const incoming = open.next();
    (await dial(parseAddress("rebinding.example", port))).channel.abort(undefined);
    await incoming;
    const again = dial(parseAddress("rebinding.example", port));
    await expect(again).rejects.toMatchObject({ reason: "denied" });
    expect(forbidden.sockets.size).toBe(0);
  });
});

describe("UDP on Node", () => {
  it("sends every datagram of an association to the address that passed", async () => {
    const open = await associations.openPeer(PUBLIC);
    const forbidden = await associations.openPeer(PRIVATE);
    const { association } = await associations.associate(policy);
    const [toOpen, toForbidden] = [open, forbidden].map(({ address }) =>
      parseAddress("rebinding.example", address.port),
    ) as [Address, Address];
    for (const bytes of ["01", "02", "03"]) {
      const incoming = open.next();
      association.send(toForbidden, hex("bad0"));
      association.send(toOpen, hex(bytes));
      await incoming;
    }
    expect(open.received.map(toHex)).toEqual(["01", "02", "03"]);
    expect(forbidden.received).toEqual([]);
    expect(lookup).toHaveBeenCalledOnce();
  });

  it("sends nothing when the first answer is private, and asks about the next again", async () => {
    answerWith(PRIVATE);
    const forbidden = await associations.openPeer(PRIVATE);
    const open = await associations.openPeer(PUBLIC);
    const { association } = await associations.associate(policy);
    for (let i = 0; i < 3; i++) {
      association.send(parseAddress("rebinding.example", forbidden.address.port), hex("bad0"));
    }
    const incoming = open.next();
    association.send(open.address, hex("01"));
    await incoming;
    expect(forbidden.received).toEqual([]);
  });
});

describe("BIND on Node", () => {
  it("expects the very address that passed, and asks no second time", async () => {
    const { bound, accepted } = await egress.listen(
      parseAddress("rebinding.example", 0),
      policy,
      never,
    );
    const stranger = connect({ host: PUBLIC, port: bound.port, localAddress: PRIVATE });
    const reset = new Promise((resolve) => stranger.on("error", () => {}).on("close", resolve));
    await reset;
    const peer = connect({ host: PUBLIC, port: bound.port, localAddress: PUBLIC });
    const { channel, peer: from } = await accepted;
    expect(formatAddress(from)).toMatch(/^127\.0\.0\.1:/);
    expect(lookup).toHaveBeenCalledOnce();
    channel.abort(undefined);
    peer.destroy();
  });

  it("denies a name whose answer is private", async () => {
    answerWith(PRIVATE, PUBLIC);
    const listening = egress.listen(parseAddress("rebinding.example", 0), policy, never);
    await expect(listening).rejects.toMatchObject({ reason: "denied" });
  });
});

describe("RESOLVE on Node", () => {
  it("tells no address that the policy refuses", async () => {
    answerWith(PRIVATE);
    const resolving = egress.resolve(parseAddress("rebinding.example", 0), policy);
    await expect(resolving).rejects.toMatchObject({ reason: "denied" });
  });
});
