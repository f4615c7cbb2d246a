import { describe, expect, it } from "vitest";
import { createCachedSource } from "../../../../edge-worker/egress/dns/cached-source.ts";
import type { Records } from "../../../../edge-worker/egress/dns/name-source.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** A cache over a source that says the same of every name, and counts. */
function cacheOf(answer: () => Records) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const look = async (key: string): Promise<Records> => {
    asked.push(key);
    return answer();
  };
  const source = createCachedSource({ addressesOf: look, namesOf: look }, clock);
  return { clock, asked, ...source };
}

const found: Records = { data: ["192.0.2.1"], ttlMs: 60_000 };

describe("createCachedSource()", () => {
  it("asks once for as long as an answer holds", async () => {
    const { clock, asked, addressesOf } = cacheOf(() => found);
    expect(await addressesOf("x.test")).toEqual(found);
    await clock.advance(59_999);
    expect(await addressesOf("x.test")).toEqual(found);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    await addressesOf("x.test");
    expect(asked).toHaveLength(2);
  });

  it("keeps that there is nothing, too", async () => {
    const { asked, addressesOf } = cacheOf(() => ({ data: [], ttlMs: 300_000 }));
    await addressesOf("x.invalid");
    await addressesOf("x.invalid");
    expect(asked).toHaveLength(1);
  });

  it("keeps nothing whose time is not known", async () => {
    const { asked, addressesOf } = cacheOf(() => ({ ...found, ttlMs: 0 }));
    await addressesOf("x.test");
    await addressesOf("x.test");
    expect(asked).toHaveLength(2);
  });

  it("keeps nothing for longer than an hour", async () => {
    const { clock, asked, addressesOf } = cacheOf(() => ({ ...found, ttlMs: 2 ** 31 * 1000 }));
    await addressesOf("x.test");
    await clock.advance(3_600_000);
    await addressesOf("x.test");
    expect(asked).toHaveLength(2);
  });

  it("keeps 4096 names, the latest of them, and those of addresses apart", async () => {
    const { asked, addressesOf, namesOf } = cacheOf(() => found);
    for (let i = 0; i <= 4096; i++) await addressesOf(`${i}.test`);
    await addressesOf("1.test");
    await addressesOf("4096.test");
    expect(asked).toHaveLength(4097);
    await addressesOf("0.test");
    await namesOf("4096.test");
    expect(asked).toHaveLength(4099);
  });

  it("asks once for what several want at the same time", async () => {
    const { asked, addressesOf } = cacheOf(() => ({ ...found, ttlMs: 0 }));
    await Promise.all([addressesOf("x.test"), addressesOf("x.test"), addressesOf("y.test")]);
    expect(asked).toEqual(["x.test", "y.test"]);
  });

  it("keeps no failure", async () => {
    let isFailing = true;
    const { addressesOf } = cacheOf(() => {
      if (isFailing) throw new StreamError("host-unreachable", "Cannot resolve: no answer");
      return found;
    });
    await expect(addressesOf("x.test")).rejects.toMatchObject({ reason: "host-unreachable" });
    isFailing = false;
    expect(await addressesOf("x.test")).toEqual(found);
  });
});
