import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { ClientGuard, type GuardSettings } from "../../edge-worker/client-guard.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { recordedLog } from "../support/log.ts";

const PROXY = "10.0.0.1";

function createGuard(changes: Partial<GuardSettings> = {}) {
  const clock = new FakeClock();
  const log = recordedLog();
  const guard = new ClientGuard({
    clock,
    log,
    maxConnections: 3,
    maxConnectionsPerAddress: 2,
    proxies: {
      ranges: [ipaddr.parseCIDR("10.0.0.0/8")],
      isUnixTrusted: true,
      fields: ["x-forwarded-for"],
    },
    ...changes,
  });
  return { guard, clock, log };
}

describe("ClientGuard.connected()", () => {
  it("bounds connections of one address, until one leaves", () => {
    const { guard } = createGuard();
    const leave = guard.connected("192.0.2.7");
    guard.connected("192.0.2.7");
    expect(guard.connected("192.0.2.7")).toBeUndefined();
    expect(guard.connected("192.0.2.8")).toBeDefined();
    leave?.();
    expect(guard.connected("192.0.2.7")).toBeDefined();
    expect(guard.refused).toBe(1);
  });

  it("takes the addresses of one IPv6 network for one", () => {
    const { guard } = createGuard();
    guard.connected("2001:db8::1");
    guard.connected("2001:db8::2");
    expect(guard.connected("2001:db8::3")).toBeUndefined();
    expect(guard.connected("2001:db8:0:1::1")).toBeDefined();
  });

  it.each([PROXY, undefined])("bounds those of the proxy %s in all only", (peer) => {
    const { guard } = createGuard();
    expect([1, 2, 3].map(() => guard.connected(peer) !== undefined)).toEqual([true, true, true]);
    expect(guard.connected(peer)).toBeUndefined();
    expect(guard.count).toBe(3);
  });

  it("tells of refusals once a minute, however many there are", async () => {
    const { guard, clock, log } = createGuard({ maxConnections: 0 });
    for (let i = 0; i < 50; i++) guard.connected("192.0.2.7");
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).not.toContain("192.0.2.7");
    await clock.advance(60_000);
    guard.connected("192.0.2.7");
    expect(log.lines).toHaveLength(2);
    expect(log.lines[1]).toContain('"refused":51');
  });
});

describe("ClientGuard.admitted()", () => {
  const forwarded = (guard: ClientGuard, client: string) =>
    guard.admitted(
      guard.originOf(PROXY, (name) => (name === "x-forwarded-for" ? client : undefined)),
    );

  it("bounds carriers of one client behind a proxy", () => {
    const { guard } = createGuard();
    const leave = forwarded(guard, "192.0.2.7");
    forwarded(guard, "192.0.2.7");
    expect(forwarded(guard, "192.0.2.7")).toBeUndefined();
    expect(forwarded(guard, "192.0.2.8")).toBeDefined();
    leave?.();
    expect(forwarded(guard, "192.0.2.7")).toBeDefined();
  });

  it("takes all of a client that has come by itself, as its connections count already", () => {
    const { guard } = createGuard();
    const origin = guard.originOf("192.0.2.7", () => undefined);
    for (let i = 0; i < 9; i++) expect(guard.admitted(origin)).toBeDefined();
    expect(guard.count).toBe(0);
  });
});
