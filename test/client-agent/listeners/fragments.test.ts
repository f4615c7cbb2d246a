import { describe, expect, it } from "vitest";
import { Fragments } from "../../../client-agent/listeners/fragments.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { hex } from "../../support/hex.ts";
import { udpSettings } from "../../support/udp-settings.ts";

const address = parseAddress("127.0.0.1", 53);
const part = (fragment: number, bytes: string | Uint8Array, to = address) => ({
  fragment,
  address: to,
  bytes: typeof bytes === "string" ? hex(bytes) : bytes,
});

function gathering(limits = udpSettings.fragmentLimits) {
  const clock = new FakeClock();
  return { clock, fragments: new Fragments(clock, limits) };
}

describe("Fragments.take()", () => {
  it("passes a whole datagram on at once", () => {
    expect(gathering().fragments.take(part(0, "0102"))).toEqual({ address, bytes: hex("0102") });
  });

  it("joins fragments that come in order, and keeps no timer behind", () => {
    const { clock, fragments } = gathering();
    expect(fragments.take(part(1, "01"))).toBeUndefined();
    expect(fragments.take(part(2, "0203"))).toBeUndefined();
    expect(fragments.take(part(0x83, "04"))).toEqual({ address, bytes: hex("01020304") });
    expect(clock.timerCount).toBe(0);
  });

  it("takes a datagram of one fragment", () => {
    expect(gathering().fragments.take(part(0x81, "01"))).toEqual({ address, bytes: hex("01") });
  });

  it("does not keep the caller's memory", () => {
    const { fragments } = gathering();
    const bytes = hex("01");
    fragments.take(part(1, bytes));
    bytes.fill(9);
    expect(fragments.take(part(0x82, "02"))?.bytes).toEqual(hex("0102"));
  });

  it.each([
    ["a gap", [part(1, "01"), part(0x83, "03")]],
    ["a doubled fragment", [part(1, "01"), part(2, "02"), part(2, "02"), part(0x83, "03")]],
    [
      "a smaller number",
      [part(1, "01"), part(2, "02"), part(3, "03"), part(2, "02"), part(0x84, "04")],
    ],
    ["no first fragment", [part(2, "02"), part(0x83, "03")]],
    ["position 0 with the end bit", [part(1, "01"), part(0x80, "02")]],
    ["another address", [part(1, "01"), part(0x82, "02", parseAddress("127.0.0.2", 53))]],
    ["a whole datagram between", [part(1, "01"), part(0, "ff"), part(0x82, "02")].slice(0, 3)],
  ])("abandons what it has for %s", (_what, parts) => {
    const { clock, fragments } = gathering();
    expect(parts.map((each) => fragments.take(each)).at(-1)).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });

  it("begins anew with a first fragment", () => {
    const { fragments } = gathering();
    fragments.take(part(1, "01"));
    fragments.take(part(1, "0a"));
    expect(fragments.take(part(0x82, "0b"))?.bytes).toEqual(hex("0a0b"));
  });

  it("abandons what it has after 5 s", async () => {
    const { clock, fragments } = gathering();
    fragments.take(part(1, "01"));
    await clock.advance(5000);
    expect(fragments.take(part(0x82, "02"))).toBeUndefined();
  });

  it("holds 64 KiB and 127 fragments at most", () => {
    const { fragments } = gathering();
    const large = new Uint8Array(32_768);
    fragments.take(part(1, large));
    fragments.take(part(2, large));
    expect(fragments.take(part(0x83, "01"))).toBeUndefined();
    for (let i = 1; i < 127; i++) fragments.take(part(i, "01"));
    expect(fragments.take(part(0xff, "01"))?.bytes).toHaveLength(127);
  });

  it("holds what it is told to, for as long as it is told to", async () => {
    const { clock, fragments } = gathering({ maxBytes: 3, maxCount: 2, timeoutMs: 7000 });
    fragments.take(part(1, "0102"));
    await clock.advance(6999);
    expect(fragments.take(part(0x82, "03"))?.bytes).toEqual(hex("010203"));
    fragments.take(part(1, "0102"));
    expect(fragments.take(part(0x82, "0304"))).toBeUndefined();
    fragments.take(part(1, "01"));
    fragments.take(part(2, "02"));
    expect(fragments.take(part(0x83, "03"))).toBeUndefined();
    fragments.take(part(1, "01"));
    await clock.advance(7000);
    expect(fragments.take(part(0x82, "02"))).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });
});
