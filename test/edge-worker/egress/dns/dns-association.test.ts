import { describe, expect, it } from "vitest";
import { DnsAssociation } from "../../../../edge-worker/egress/dns/dns-association.ts";
import {
  encodeAnswer,
  encodeQuery,
  Rcode,
  RecordType,
  truncated,
} from "../../../../edge-worker/egress/dns/dns-message.ts";
import { createResolver } from "../../../../edge-worker/egress/dns/resolver.ts";
import type { Policy } from "../../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { hex } from "../../../support/hex.ts";
import { strictPolicy } from "../../../support/policies.ts";

const x = encodeQuery(7, "x.test", RecordType.A);
const quad9 = parseAddress("9.9.9.9", 53);

interface Asked {
  readonly to: Address;
  readonly query: Uint8Array;
  readonly answer: PromiseWithResolvers<Uint8Array>;
}

/** An association whose resolvers are the test; names mean these addresses. */
function associate(policy: Policy = strictPolicy, data = ["9.9.9.9"]) {
  const clock = new FakeClock();
  const asked: Asked[] = [];
  const delivered: { from: string; bytes: Uint8Array }[] = [];
  const look = async () => ({ data, ttlMs: 0 });
  const association = new DnsAssociation({
    policy,
    deliver: (from, bytes) => void delivered.push({ from: formatAddress(from), bytes }),
    resolver: createResolver({ addressesOf: look, namesOf: look }),
    ask: (to, query) => {
      const answer = Promise.withResolvers<Uint8Array>();
      asked.push({ to, query, answer });
      return answer.promise;
    },
  });
  return { clock, asked, delivered, association };
}

/** An answer of this many bytes. */
function answerOf(length: number): Uint8Array {
  const data = new Uint8Array(length - x.length - 12);
  return encodeAnswer(x, Rcode.NoError, [{ type: 16, ttlSeconds: 60, data }]);
}

/** The query with an OPT record that says what its sender takes (RFC 6891 section 6.1.2). */
function withSize(size: number): Uint8Array {
  const bytes = Uint8Array.from([...x, 0, 0, 41, size >> 8, size & 0xff, 0, 0, 0, 0, 0, 0]);
  bytes[11] = 1;
  return bytes;
}

describe("DnsAssociation.send()", () => {
  it("asks the resolver that it was sent to, and delivers from there", async () => {
    const { clock, asked, delivered, association } = associate();
    const lent = x.slice();
    association.send(quad9, lent);
    lent.fill(0xee);
    await clock.run();
    expect(asked.map(({ to, query }) => [formatAddress(to), query])).toEqual([["9.9.9.9:53", x]]);
    asked[0]?.answer.resolve(answerOf(100));
    await clock.run();
    expect(delivered).toEqual([{ from: "9.9.9.9:53", bytes: answerOf(100) }]);
    expect(association.dropped).toBe(0);
  });

  it("resolves the name of a resolver, and asks the policy about its address", async () => {
    const allowed = associate();
    allowed.association.send(parseAddress("dns.quad9.net", 53), x);
    await allowed.clock.run();
    expect(allowed.asked.map(({ to }) => formatAddress(to))).toEqual(["9.9.9.9:53"]);
    const denied = associate(undefined, ["127.0.0.1"]);
    denied.association.send(parseAddress("rebound.test", 53), x);
    await denied.clock.run();
    expect(denied.asked).toEqual([]);
    expect(denied.association.dropped).toBe(1);
  });

  it.each([
    ["to another port", parseAddress("9.9.9.9", 5353), x],
    ["to an address that the policy refuses", parseAddress("127.0.0.1", 53), x],
    ["that are no DNS", quad9, hex("0102")],
    ["that are responses", quad9, encodeAnswer(x, 0)],
    ["with a record that is cut", quad9, withSize(512).subarray(0, -1)],
  ])("drops and counts datagrams %s", async (_what, to, bytes) => {
    const { clock, asked, association } = associate();
    association.send(to, bytes);
    await clock.run();
    expect(asked).toEqual([]);
    expect(association.dropped).toBe(1);
  });

  it.each([
    ["without an OPT record", x, 512],
    ["that takes less than 512 bytes", withSize(100), 512],
    ["that takes 1232 bytes", withSize(1232), 1232],
  ])("cuts an answer that is too long for a client %s", async (_what, query, size) => {
    const { clock, asked, delivered, association } = associate();
    association.send(quad9, query);
    association.send(quad9, query);
    await clock.run();
    asked[0]?.answer.resolve(answerOf(size));
    asked[1]?.answer.resolve(answerOf(size + 1));
    await clock.run();
    const bytes = delivered.map((datagram) => datagram.bytes);
    expect(bytes).toEqual([answerOf(size), truncated(answerOf(size + 1))]);
  });

  it("counts queries without an answer, and 64 in flight are enough", async () => {
    const { clock, asked, association } = associate();
    for (let i = 0; i < 65; i++) association.send(quad9, x);
    await clock.run();
    expect(asked).toHaveLength(64);
    expect(association.dropped).toBe(1);
    asked[0]?.answer.reject(new StreamError("timed-out", "Cannot ask: no answer"));
    await clock.run();
    expect(association.dropped).toBe(2);
    association.send(quad9, x);
    await clock.run();
    expect(asked).toHaveLength(65);
  });

  it("delivers nothing after close()", async () => {
    const { clock, asked, delivered, association } = associate();
    association.send(quad9, x);
    await clock.run();
    association.close();
    association.send(quad9, x);
    asked[0]?.answer.resolve(answerOf(100));
    await clock.run();
    expect(asked).toHaveLength(1);
    expect(delivered).toEqual([]);
  });
});
