import { describe, expect, it } from "vitest";
import {
  type Resolving,
  withPinnedNames,
} from "../../../../edge-worker/egress/upstream/pinned-names.ts";
import { createPolicy } from "../../../../edge-worker/policy/policy.ts";
import { parseAccess } from "../../../../edge-worker/users/access.ts";
import { type Address, formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { FullEgress } from "../../../support/service-parts.ts";
import { FakeEgress } from "../../../support/fake-egress.ts";
import { settled } from "../../../support/settled.ts";

const name = parseAddress("a.example", 443);
const caller = {};
const { signal } = new AbortController();

const policyOf = (allowPrivate: boolean, ...rules: object[]) => {
  const { rules: parsed } = parseAccess({ keys: [{ id: "ann", secret: "x".repeat(16) }], rules });
  return createPolicy({ allowPrivate, rules: parsed }, "ann", "tcp");
};
const open = policyOf(true);

/** What an upstream is asked for when the name resolves to `host`, or why it is not. */
async function askedFor(
  resolving: Resolving,
  host: string,
  { target = name, policy = open } = {},
): Promise<{ asked: string[]; resolved: string[]; failure: unknown }> {
  const egress = new FullEgress();
  const resolved: string[] = [];
  const resolve = async (of: Address): Promise<Address> => {
    resolved.push(of.host);
    return parseAddress(host, 0);
  };
  const pinned = withPinnedNames(
    { connect: (...dial) => egress.connect(...dial) },
    resolve,
    resolving,
  );
  const connecting = settled(pinned.connect(target, policy, signal, caller));
  const failure = await Promise.race([connecting, new Promise((r) => setImmediate(r))]);
  return { asked: egress.dials.map((dial) => formatAddress(dial.target)), resolved, failure };
}

describe("withPinnedNames()", () => {
  it("asks the upstream for the address that a name has, where names are resolved here", async () => {
    const { asked } = await askedFor("here", "198.51.100.7");
    expect(asked).toEqual(["198.51.100.7:443"]);
  });

  it("asks for an address as it is", async () => {
    const target = parseAddress("198.51.100.7", 443);
    const { asked, resolved } = await askedFor("here", "192.0.2.1", { target });
    expect(asked).toEqual(["198.51.100.7:443"]);
    expect(resolved).toEqual([]);
  });

  it("denies a name of a private address, before the upstream hears of it", async () => {
    const policy = policyOf(false);
    const { asked, failure } = await askedFor("here", "10.0.0.7", { policy });
    expect(failure).toMatchObject({ reason: "denied" });
    expect(asked).toEqual([]);
  });

  it("denies by a rule about the port of an address", async () => {
    const policy = policyOf(true, { action: "deny", to: ["198.51.100.0/24"], ports: [443] });
    const { failure } = await askedFor("here", "198.51.100.7", { policy });
    expect(failure).toMatchObject({ reason: "denied" });
  });

  it("leaves names to the upstream where that resolves them", async () => {
    const policy = policyOf(false, { action: "deny", to: ["b.example"] });
    const { asked, resolved } = await askedFor("upstream", "10.0.0.7", { policy });
    expect(asked).toEqual(["a.example:443"]);
    expect(resolved).toEqual([]);
  });

  it("resolves them all the same when a rule is about addresses", async () => {
    const policy = policyOf(true, { action: "deny", to: ["192.0.2.0/24"] });
    const passed = await askedFor("upstream", "198.51.100.7", { policy });
    expect(passed.asked).toEqual(["198.51.100.7:443"]);
    const refused = await askedFor("upstream", "192.0.2.1", { policy });
    expect(refused.failure).toMatchObject({ reason: "denied" });
    expect(refused.asked).toEqual([]);
  });

  it("denies a name where nothing could resolve it", async () => {
    const connect: FakeEgress["connect"] = () => Promise.reject(new Error("asked"));
    const pinned = withPinnedNames({ connect }, undefined, "here");
    const denied = pinned.connect(name, open, signal, caller);
    await expect(denied).rejects.toMatchObject({ reason: "denied" });
  });

  it("does the same for the peer of a BIND", async () => {
    const egress = new FullEgress();
    const resolve = (): Promise<Address> => Promise.resolve(parseAddress("198.51.100.7", 0));
    const { connect } = new FakeEgress();
    const pinned = withPinnedNames({ connect, listen: egress.listen }, resolve, "here");
    await pinned.listen?.(name, open, signal);
    expect(egress.listenings.map(({ peer }) => peer.host)).toEqual(["198.51.100.7"]);
  });

  it("leaves out what the upstream cannot do", () => {
    const { connect } = new FakeEgress();
    expect(Object.keys(withPinnedNames({ connect }, undefined, "here"))).toEqual(["connect"]);
  });
});
