import { describe, expect, it } from "vitest";
import type { Usage } from "../../../edge-worker/users/usage.ts";
import { accountOf } from "../../support/account.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const exceeded = expect.objectContaining({ reason: "quota-exceeded" }) as unknown;
const never = new AbortController().signal;

describe("Account.enter()", () => {
  it("counts streams in and out", () => {
    const account = accountOf({ limits: { streams: 2 } });
    const leave = account.enter();
    account.enter();
    expect(() => account.enter()).toThrow(exceeded);
    leave();
    leave();
    account.enter();
    expect(() => account.enter()).toThrow(exceeded);
  });

  it("takes so many streams a minute, ended ones too", async () => {
    const clock = new FakeClock();
    const account = accountOf({ limits: { streamsPerMinute: 3 }, clock });
    for (let i = 0; i < 3; i++) account.enter()();
    expect(() => account.enter()).toThrow(exceeded);
    await clock.advance(MINUTE);
    for (let i = 0; i < 3; i++) account.enter()();
    expect(() => account.enter()).toThrow(exceeded);
  });

  it("takes no stream once the bytes of the day are used up", async () => {
    const clock = new FakeClock();
    const account = accountOf({ limits: { bytesPerDay: 10 }, clock });
    await account.pass("up", 10, never);
    expect(() => account.enter()).toThrow(exceeded);
    await clock.advance(DAY);
    account.enter();
  });

  it("limits nothing where there is no limit", async () => {
    const account = accountOf();
    for (let i = 0; i < 1000; i++) account.enter();
    await account.pass("down", 1e15, never);
    expect(account.passDatagram("up", 65_507)).toBe(true);
  });
});

describe("Account.pass()", () => {
  it("ends a stream that goes on beyond the bytes of the day", async () => {
    const account = accountOf({ limits: { bytesPerDay: 100 } });
    await account.pass("down", 60, never);
    await account.pass("up", 60, never);
    await expect(account.pass("up", 1, never)).rejects.toThrow(exceeded);
    expect(account.passDatagram("down", 1)).toBe(false);
  });

  it("holds each direction to the rate", async () => {
    const clock = new FakeClock();
    const account = accountOf({ limits: { bytesPerSecond: 1_000_000 }, clock });
    await account.pass("down", 1_000_000, never);
    let isThrough = false;
    void account.pass("down", 250_000, never).then(() => (isThrough = true));
    await account.pass("up", 1_000_000, never);
    await clock.advance(249);
    expect(isThrough).toBe(false);
    await clock.advance(1);
    expect(isThrough).toBe(true);
  });

  it("lets go of whoever is aborted while it waits", async () => {
    const clock = new FakeClock();
    const account = accountOf({ limits: { bytesPerSecond: 1000 }, clock });
    const ending = new AbortController();
    const passing = account.pass("up", 10_000_000, ending.signal);
    ending.abort();
    await passing;
    expect(clock.timerCount).toBe(0);
  });

  it("drops datagrams beyond the rate, and keeps none waiting", async () => {
    const clock = new FakeClock();
    const account = accountOf({ limits: { bytesPerSecond: 1_000_000 }, clock });
    let passed = 0;
    for (let i = 0; i < 2000; i++) passed += account.passDatagram("up", 1000) ? 1 : 0;
    expect(passed).toBe(1000);
    await clock.advance(100);
    expect(account.passDatagram("up", 1000)).toBe(true);
    expect(clock.timerCount).toBe(0);
  });
});

describe("Account, changed while it is used", () => {
  it("takes a new limit at once and forgets nothing that was used", async () => {
    const account = accountOf({ limits: { bytesPerDay: 100, streams: 5 } });
    for (let i = 0; i < 3; i++) account.enter();
    await account.pass("up", 50, never);
    account.limits = { bytesPerDay: 50, streams: 10 };
    expect(() => account.enter()).toThrow(exceeded);
    account.limits = { bytesPerDay: 51, streams: 3 };
    expect(() => account.enter()).toThrow(exceeded);
    account.limits = { bytesPerDay: 51, streams: 4 };
    account.enter();
  });

  it("does not fill its bucket again when the rate stays", () => {
    const account = accountOf({ limits: { bytesPerSecond: 1_000_000 } });
    expect(account.passDatagram("up", 1_000_000)).toBe(true);
    account.limits = { bytesPerSecond: 1_000_000, streams: 1 };
    expect(account.passDatagram("up", 1)).toBe(false);
    account.limits = { bytesPerSecond: 2_000_000 };
    expect(account.passDatagram("up", 1)).toBe(true);
  });
});

describe("Account, saved", () => {
  function withStore(loaded?: Usage) {
    const saved: Usage[] = [];
    const clock = new FakeClock();
    const store = {
      load: () => loaded,
      save: (_user: string, usage: Usage) => void saved.push(usage),
    };
    const limits = { bytesPerDay: 100, streamsPerMinute: 2 };
    return { account: accountOf({ clock, limits, store }), clock, saved };
  }

  it("goes on from what was saved", () => {
    const { account } = withStore({ day: 0, bytes: 0, minute: 0, opens: 1 });
    account.enter();
    expect(() => account.enter()).toThrow(exceeded);
    expect(() => withStore({ day: 0, bytes: 100, minute: 0, opens: 0 }).account.enter()).toThrow(
      exceeded,
    );
  });

  it("begins anew when what was saved is of another day", () => {
    const { account } = withStore({ day: 9, bytes: 100, minute: 9, opens: 2 });
    account.enter();
  });

  it("is written some seconds after it changed, once", async () => {
    const { account, clock, saved } = withStore();
    for (let i = 0; i < 10; i++) await account.pass("up", 1, never);
    expect(saved).toEqual([]);
    await clock.advance(5000);
    expect(saved).toEqual([{ day: 0, bytes: 10, minute: 0, opens: 0 }]);
    await clock.advance(DAY);
    expect(saved).toHaveLength(1);
  });

  it("is written at the end, if something is not yet", async () => {
    const { account, clock, saved } = withStore();
    account.save();
    expect(saved).toEqual([]);
    account.enter();
    account.save();
    expect(saved).toEqual([{ day: 0, bytes: 0, minute: 0, opens: 1 }]);
    expect(clock.timerCount).toBe(0);
  });
});

describe("Account.meter()", () => {
  it("leaves a channel alone whose bytes nothing limits", () => {
    const channel = new FakeChannel();
    expect(accountOf({ limits: { streams: 1 } }).meter(channel)).toBe(channel);
    expect(accountOf({ limits: { bytesPerDay: 1 } }).meter(channel)).not.toBe(channel);
  });
});
