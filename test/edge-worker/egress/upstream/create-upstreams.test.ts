import { describe, expect, it } from "vitest";
import type { Connection } from "../../../../edge-worker/egress/egress.ts";
import {
  createUpstreams,
  type UpstreamPlatform,
} from "../../../../edge-worker/egress/upstream/create-upstreams.ts";
import {
  parseUpstreams,
  type UpstreamEntries,
} from "../../../../edge-worker/egress/upstream/upstream-settings.ts";
import { type Address, formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { FakeEgress } from "../../../support/fake-egress.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { recordedLog } from "../../../support/log.ts";
import { settled } from "../../../support/settled.ts";

const secret = "a-secret-long-enough";
const edgeUrl = `wss://me:${secret}@edge.example/path`;
const target = parseAddress("a.example", 443);
const caller = {};

/** Upstreams of these entries, on a platform that is fake. */
function created(entries: UpstreamEntries) {
  const clock = new FakeClock();
  const direct = new FakeEgress();
  const edge = new FakeEdge(clock);
  const log = recordedLog();
  const dialled: string[] = [];
  const dialEdge: UpstreamPlatform["dialEdge"] = (url) => {
    dialled.push(url.href);
    return edge.dial;
  };
  const { egress, close } = createUpstreams(parseUpstreams(entries), {
    clock,
    log,
    random: () => 0,
    direct,
    dialEdge,
    connectTimeoutMs: 15_000,
    resumption: { resumeWindow: 60, resumeMemory: 1_000_000 },
  });
  const { signal } = new AbortController();
  const dial = async (
    address: Address = target,
    user = "ann",
  ): Promise<{ fate: Promise<unknown> }> => {
    const way = egress.forUser?.(user) ?? egress;
    const fate = settled(way.connect(address, () => undefined, signal, caller));
    await clock.run();
    return { fate };
  };
  const directly = (): string[] => direct.dials.map(({ target }) => formatAddress(target));
  return { clock, direct, directly, edge, log, dialled, egress, close, dial };
}

describe("createUpstreams()", () => {
  it("is the direct way where there are none", () => {
    const { egress, direct } = created([]);
    expect(egress).toBe(direct);
  });

  it("dials a SOCKS5 proxy directly, and speaks SOCKS5 with it", async () => {
    const { clock, direct, directly, dial } = created([
      { url: "socks5://10.0.0.7:1081", mode: "always", resolve: "upstream" },
    ]);
    const { fate } = await dial();
    expect(directly()).toEqual(["10.0.0.7:1081"]);
    direct.dials[0]?.channel.arrive(hex("0500 05000001 c0000207 0fa0"));
    direct.dials[0]?.succeed();
    await clock.run();
    expect(toHex(direct.dials[0]?.channel.written ?? hex(""))).toMatch(/^050100/);
    expect(((await fate) as Connection).bound).toEqual(parseAddress("192.0.2.7", 4000));
  });

  it("speaks HTTP with an HTTP proxy", async () => {
    const { clock, direct, dial } = created([
      { url: "http://proxy.example:3128", mode: "always", resolve: "upstream" },
    ]);
    await dial();
    direct.dials[0]?.succeed();
    await clock.run();
    const written = new TextDecoder().decode(direct.dials[0]?.channel.written);
    expect(written).toMatch(/^CONNECT a\.example:443 HTTP\/1\.1\r\n/);
  });

  it("opens a session with another edge once somebody goes there, and ends it", async () => {
    const { clock, edge, dialled, log, dial, close } = created([{ url: edgeUrl, mode: "always" }]);
    expect(dialled).toEqual(["wss://edge.example/path"]);
    expect(edge.dialledAt).toEqual([]);
    const { fate } = await dial();
    expect(edge.incoming[0]?.address).toEqual(target);
    edge.incoming[0]?.stream.confirm(parseAddress("192.0.2.7", 4000));
    await clock.run();
    expect(await fate).toHaveProperty("channel");
    expect(log.lines.join("\n")).not.toContain(secret);
    close();
    await clock.run();
    expect(edge.sessions[0]?.linkCount).toBe(0);
    expect(clock.timerCount).toBe(0);
  });

  it.each([
    ["socks5://10.0.0.7", "denied"],
    ["http://10.0.0.7", "denied"],
    [edgeUrl, "still open"],
  ])("resolves names for %s unless it is an edge", async (url, outcome) => {
    // The platform here has no resolver: whoever needs one says so.
    const { dial } = created([{ url, mode: "always" }]);
    const { fate } = await dial();
    const stillOpen = new Promise((resolve) =>
      setImmediate(() => resolve({ reason: "still open" })),
    );
    expect(await Promise.race([fate, stillOpen])).toMatchObject({ reason: outcome });
  });

  it.each<[string, Partial<UpstreamEntries[number]>, string, string, boolean]>([
    ["a domain", { to: [".example"] }, "a.example", "ann", true],
    ["another domain", { to: [".example.com"] }, "a.example", "ann", false],
    ["a range", { to: ["192.0.2.0/24"] }, "192.0.2.9", "ann", true],
    ["a name, by a range", { to: ["192.0.2.0/24"] }, "a.example", "ann", false],
    ["a port", { ports: [443] }, "a.example", "ann", true],
    ["another port", { ports: ["1-442"] }, "a.example", "ann", false],
    ["a protocol", { protocol: ["tcp", "udp"] }, "a.example", "ann", true],
    ["another protocol", { protocol: ["bind"] }, "a.example", "ann", false],
    ["a user", { users: ["ann"] }, "a.example", "ann", true],
    ["another user", { users: ["ann"] }, "a.example", "bob", false],
  ])("takes or leaves by %s", async (_what, match, host, user, isTaken) => {
    const { directly, dial } = created([
      { url: "http://10.0.0.7:80", mode: "always", resolve: "upstream", ...match },
    ]);
    await dial(parseAddress(host, 443), user);
    expect(directly()).toEqual([isTaken ? "10.0.0.7:80" : `${host}:443`]);
  });
});
