import { describe, expect, it } from "vitest";
import { capabilitiesOf, type Egress } from "../../../../edge-worker/egress/egress.ts";
import { BlockedTargets } from "../../../../edge-worker/egress/upstream/blocked-targets.ts";
import { createRoutedEgress } from "../../../../edge-worker/egress/upstream/routed-egress.ts";
import type { Upstream } from "../../../../edge-worker/egress/upstream/upstream.ts";
import type { Policy } from "../../../../edge-worker/policy/policy.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { type FailureReason, StreamError } from "../../../../protocol/errors.ts";
import { Capability } from "../../../../protocol/wire.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeEgress } from "../../../support/fake-egress.ts";
import { FullEgress } from "../../../support/service-parts.ts";
import { settled } from "../../../support/settled.ts";

const target = parseAddress("a.example", 443);
const blockedAddress = parseAddress("192.0.2.1", 443);
const policy: Policy = () => undefined;
const failed = (reason: FailureReason): StreamError => new StreamError(reason, reason);

interface Setup {
  readonly upstreams?: readonly Partial<Upstream>[];
  /** Addresses of names on a platform that blocks 192.0.2.0/24; undefined where nothing is blocked. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
}

/** A direct way and upstreams, all of them fake; each takes everything unless told otherwise. */
function routed({ upstreams = [], names }: Setup) {
  const clock = new FakeClock();
  const direct = new FakeEgress();
  const list = upstreams.map((changes) => {
    const egress = new FakeEgress();
    const upstream: Upstream = {
      egress,
      mode: "fallback",
      isForBlocked: false,
      takes: () => true,
      ...changes,
    };
    return { egress, upstream };
  });
  const blocked =
    names &&
    new BlockedTargets({
      clock,
      what: "in a test's range",
      isBlocked: (host) => host.startsWith("192.0.2."),
      addressesOf: async (name) => names[name] ?? [],
    });
  const egress = createRoutedEgress({
    clock,
    direct,
    upstreams: list.map(({ upstream }) => upstream),
    blocked,
    connectTimeoutMs: 15_000,
  });
  const ending = new AbortController();
  /** A dial, once all that happens at once has happened. */
  const dial = async (address = target) => {
    const fate = settled(egress.connect(address, policy, ending.signal, {}));
    await clock.run();
    return { fate };
  };
  return { clock, direct, ups: list.map(({ egress }) => egress), egress, ending, dial };
}

describe("createRoutedEgress()", () => {
  it("is the direct way itself where there is no other, and nothing is blocked", () => {
    const { egress, direct } = routed({});
    expect(egress).toBe(direct);
  });

  it("does what any of its ways can do", () => {
    const options = { clock: new FakeClock(), blocked: undefined, connectTimeoutMs: 1 };
    const upstream = (egress: Egress): Upstream => ({
      egress,
      mode: "fallback",
      isForBlocked: false,
      takes: () => true,
    });
    const can = (direct: Egress, ...ways: Egress[]): number =>
      capabilitiesOf(createRoutedEgress({ ...options, direct, upstreams: ways.map(upstream) }));
    const all = Capability.Bind | Capability.UdpNative | Capability.Resolve;
    expect(can(new FakeEgress(), new FakeEgress())).toBe(0);
    expect(can(new FakeEgress(), new FullEgress())).toBe(all);
    expect(can(new FullEgress(), new FakeEgress())).toBe(all);
  });
});

describe("createRoutedEgress().connect(), mode always", () => {
  it("goes by the upstream, and never directly", async () => {
    const { direct, ups, dial } = routed({ upstreams: [{ mode: "always" }] });
    const { fate } = await dial();
    ups[0]?.dials[0]?.fail(failed("timed-out"));
    expect(await fate).toMatchObject({ reason: "timed-out" });
    expect(direct.dials).toHaveLength(0);
  });

  it("goes directly to what the upstream does not take", async () => {
    const takes: Upstream["takes"] = ({ host }) => host === "b.example";
    const { direct, ups, dial } = routed({ upstreams: [{ mode: "always", takes }] });
    const { fate } = await dial();
    direct.dials[0]?.succeed();
    expect(await fate).toMatchObject({ channel: direct.dials[0]?.channel });
    expect(ups[0]?.dials).toHaveLength(0);
  });

  it("takes the next when one is out of reach", async () => {
    const { clock, ups, dial } = routed({ upstreams: [{ mode: "always" }, { mode: "always" }] });
    const { fate } = await dial();
    ups[0]?.dials[0]?.fail(failed("edge-unavailable"));
    await clock.run();
    ups[1]?.dials[0]?.succeed();
    expect(await fate).toMatchObject({ channel: ups[1]?.dials[0]?.channel });
  });
});

describe("createRoutedEgress().connect(), mode fallback", () => {
  it("does not use the upstream when the direct dial succeeds", async () => {
    const { direct, ups, dial } = routed({ upstreams: [{}] });
    const { fate } = await dial();
    direct.dials[0]?.succeed();
    await fate;
    expect(ups[0]?.dials).toHaveLength(0);
  });

  it.each(["timed-out", "host-unreachable", "network-unreachable"] as const)(
    "uses it after %s",
    async (reason) => {
      const { clock, direct, ups, dial } = routed({ upstreams: [{}] });
      const { fate } = await dial();
      direct.dials[0]?.fail(failed(reason));
      await clock.run();
      expect(ups[0]?.dials[0]?.target).toEqual(target);
      ups[0]?.dials[0]?.succeed();
      expect(await fate).toMatchObject({ channel: ups[0]?.dials[0]?.channel });
    },
  );

  it.each(["connection-refused", "denied", "name-not-found", "general"] as const)(
    "does not use it after %s",
    async (reason) => {
      const { direct, ups, dial } = routed({ upstreams: [{}] });
      const { fate } = await dial();
      direct.dials[0]?.fail(failed(reason));
      expect(await fate).toMatchObject({ reason });
      expect(ups[0]?.dials).toHaveLength(0);
    },
  );

  it("leaves the upstream half of the time when nothing answers", async () => {
    const { clock, direct, ups, dial } = routed({ upstreams: [{}] });
    const { fate } = await dial();
    await clock.advance(7500);
    expect(direct.dials[0]?.signal.aborted).toBe(true);
    await clock.advance(7499);
    expect(ups[0]?.dials[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await fate).toMatchObject({ reason: "timed-out" });
    expect(clock.timerCount).toBe(0);
  });

  it("tells of the target when the upstream is out of reach, too", async () => {
    const { clock, direct, ups, dial } = routed({ upstreams: [{}] });
    const { fate } = await dial();
    direct.dials[0]?.fail(failed("host-unreachable"));
    await clock.run();
    ups[0]?.dials[0]?.fail(failed("edge-unavailable"));
    expect(await fate).toMatchObject({ reason: "host-unreachable" });
  });

  it("tries no upstream for an agent that has gone", async () => {
    const { clock, ups, ending, dial } = routed({ upstreams: [{}] });
    const { fate } = await dial();
    ending.abort(failed("cancelled"));
    expect(await fate).toMatchObject({ reason: "cancelled" });
    await clock.run();
    expect(ups[0]?.dials).toHaveLength(0);
    expect(clock.timerCount).toBe(0);
  });
});

describe("createRoutedEgress().connect() on a platform that blocks targets", () => {
  it("fails at once without an upstream, and says why", async () => {
    const { direct, dial } = routed({ names: {} });
    expect(await (await dial(blockedAddress)).fate).toMatchObject({
      reason: "platform-blocked",
      message: expect.stringContaining("in a test's range") as string,
    });
    expect(direct.dials).toHaveLength(0);
  });

  it("goes by the first upstream that is for them, then by other fallbacks", async () => {
    const { clock, direct, ups, dial } = routed({
      names: {},
      upstreams: [{}, { isForBlocked: true }],
    });
    const { fate } = await dial(blockedAddress);
    ups[1]?.dials[0]?.fail(failed("edge-unavailable"));
    await clock.run();
    ups[0]?.dials[0]?.succeed();
    expect(await fate).toMatchObject({ channel: ups[0]?.dials[0]?.channel });
    expect(direct.dials).toHaveLength(0);
  });

  it("keeps that upstream for them alone", async () => {
    const { direct, ups, dial } = routed({ names: {}, upstreams: [{ isForBlocked: true }] });
    const { fate } = await dial();
    direct.dials[0]?.fail(failed("timed-out"));
    expect(await fate).toMatchObject({ reason: "timed-out" });
    expect(ups[0]?.dials).toHaveLength(0);
  });

  it("finds out about a name after its dial failed, and remembers it", async () => {
    const names = { "a.example": ["192.0.2.9"] };
    const { clock, direct, ups, dial } = routed({ names, upstreams: [{ isForBlocked: true }] });
    const { fate: first } = await dial();
    expect(ups[0]?.dials).toHaveLength(0);
    direct.dials[0]?.fail(failed("connection-refused"));
    await clock.run();
    ups[0]?.dials[0]?.succeed();
    expect(await first).toMatchObject({ channel: ups[0]?.dials[0]?.channel });
    const { fate: second } = await dial();
    ups[0]?.dials[1]?.succeed();
    await second;
    expect(direct.dials).toHaveLength(1);
  });

  it("says why a name failed that is blocked, and keeps the cause", async () => {
    const { direct, dial } = routed({ names: { "a.example": ["192.0.2.9"] } });
    const { fate } = await dial();
    const cause = failed("connection-refused");
    direct.dials[0]?.fail(cause);
    expect(await fate).toMatchObject({ reason: "platform-blocked", cause });
  });

  it.each(["denied", "name-not-found"] as const)("asks nobody after %s", async (reason) => {
    const { direct, dial } = routed({ names: { "a.example": ["192.0.2.9"] } });
    const { fate } = await dial();
    direct.dials[0]?.fail(failed(reason));
    expect(await fate).toMatchObject({ reason });
  });

  it("says what failed when the name is not blocked", async () => {
    const { direct, dial } = routed({ names: {} });
    const { fate } = await dial();
    direct.dials[0]?.fail(failed("connection-refused"));
    expect(await fate).toMatchObject({ reason: "connection-refused" });
  });
});

describe("createRoutedEgress(), BIND and names", () => {
  function twoFull(mode: Upstream["mode"]) {
    const [direct, up] = [new FullEgress(), new FullEgress()];
    const upstream: Upstream = { egress: up, mode, isForBlocked: false, takes: () => true };
    const options = { clock: new FakeClock(), blocked: undefined, connectTimeoutMs: 1 };
    const egress = createRoutedEgress({ ...options, direct, upstreams: [upstream] });
    return { direct, up, egress };
  }
  const { signal } = new AbortController();

  it("listens by an upstream that takes it always", async () => {
    const { direct, up, egress } = twoFull("always");
    await egress.listen?.(target, policy, signal);
    expect([direct.listenings.length, up.listenings.length]).toEqual([0, 1]);
  });

  it("listens by a fallback when it cannot directly", async () => {
    const { direct, up, egress } = twoFull("fallback");
    direct.failure = failed("network-unreachable");
    await egress.listen?.(target, policy, signal);
    expect(up.listenings).toHaveLength(1);
  });

  it("resolves both ways by the upstream that takes it", async () => {
    const { direct, up, egress } = twoFull("always");
    const found = egress.resolve?.(target, policy);
    const named = egress.reverse?.(blockedAddress);
    expect(up.lookups.map(({ what }) => what)).toEqual([target, blockedAddress]);
    for (const { answer } of up.lookups) answer.resolve(blockedAddress);
    expect([await found, await named]).toEqual([blockedAddress, blockedAddress]);
    expect(direct.lookups).toHaveLength(0);
  });

  it("does not ask another resolver about a name that does not exist", async () => {
    const { direct, up, egress } = twoFull("fallback");
    const fate = settled(Promise.resolve(egress.resolve?.(target, policy)));
    direct.lookups[0]?.answer.reject(failed("name-not-found"));
    expect(await fate).toMatchObject({ reason: "name-not-found" });
    expect(up.lookups).toHaveLength(0);
  });
});
