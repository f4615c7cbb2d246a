import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { raceDials } from "../../../edge-worker/egress/dial-race.ts";
import { type Address, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { SEED } from "../../support/arbitraries.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const address = (host: string): Address => parseAddress(host, 443);
const [A6, B6, C6] = ["2600::a", "2600::b", "2600::c"].map(address) as [Address, Address, Address];
const [A4, B4, C4] = ["1.0.0.1", "1.0.0.2", "1.0.0.3"].map(address) as [Address, Address, Address];
const failed = (reason: StreamError["reason"]): StreamError =>
  new StreamError(reason, `No: ${reason}`);

interface Attempt {
  readonly host: string;
  readonly atMs: number;
  readonly signal: AbortSignal;
  readonly socket: PromiseWithResolvers<string>;
}

/** A race whose lookups and attempts the test settles. */
function startRace() {
  const clock = new FakeClock();
  const ending = new AbortController();
  const [ipv6, ipv4] = [0, 0].map(() => Promise.withResolvers<readonly Address[]>()) as [
    PromiseWithResolvers<readonly Address[]>,
    PromiseWithResolvers<readonly Address[]>,
  ];
  const attempts: Attempt[] = [];
  const discarded: string[] = [];
  const seen: { outcome?: unknown } = {};
  const lookups = { ipv6: ipv6.promise, ipv4: ipv4.promise };
  const race = raceDials<string>(lookups, {
    clock,
    signal: ending.signal,
    dial: ({ host }, signal) => {
      const socket = Promise.withResolvers<string>();
      attempts.push({ host, atMs: clock.now(), signal, socket });
      return socket.promise;
    },
    discard: (late) => void discarded.push(late),
  });
  race.then(
    (connected) => (seen.outcome = connected),
    (error: unknown) => (seen.outcome = error),
  );
  /** "host at ms" of each attempt so far. */
  const log = (): string[] => attempts.map(({ host, atMs }) => `${host} ${atMs}`);
  return { clock, ending, ipv6, ipv4, attempts, discarded, seen, log };
}

/** A race between addresses that are all known at once. */
async function raceOf(sixes: readonly Address[], fours: readonly Address[]) {
  const race = startRace();
  race.ipv6.resolve(sixes);
  race.ipv4.resolve(fours);
  await race.clock.run();
  return race;
}

describe("raceDials() and the lookups", () => {
  it("dials IPv6 as soon as it is there, without waiting for IPv4", async () => {
    const { clock, ipv6, log } = startRace();
    ipv6.resolve([A6]);
    await clock.run();
    expect(log()).toEqual(["2600::a 0"]);
  });

  it("gives IPv6 50 ms when IPv4 is there first, and takes it first when it comes", async () => {
    const { clock, ipv6, ipv4, log } = startRace();
    ipv4.resolve([A4]);
    await clock.advance(49);
    expect(log()).toEqual([]);
    ipv6.resolve([A6]);
    await clock.run();
    expect(log()).toEqual(["2600::a 49"]);
    await clock.advance(250);
    expect(log()).toEqual(["2600::a 49", "1.0.0.1 299"]);
  });

  it("dials IPv4 after 50 ms, and joins IPv6 in when it comes later", async () => {
    const { clock, ipv6, ipv4, log } = startRace();
    ipv4.resolve([A4, B4]);
    await clock.advance(50);
    expect(log()).toEqual(["1.0.0.1 50"]);
    ipv6.resolve([A6]);
    await clock.advance(250);
    expect(log()).toEqual(["1.0.0.1 50", "2600::a 300"]);
  });

  it.each([
    ["has no address", (lookup: PromiseWithResolvers<readonly Address[]>) => lookup.resolve([])],
    [
      "fails",
      (lookup: PromiseWithResolvers<readonly Address[]>) => lookup.reject(failed("name-not-found")),
    ],
  ])("does not wait for IPv6 once that %s", async (_what, end) => {
    const { clock, ipv6, ipv4, log } = startRace();
    end(ipv6);
    ipv4.resolve([A4]);
    await clock.run();
    expect(log()).toEqual(["1.0.0.1 0"]);
  });

  it("ends the 50 ms when IPv6 turns out to be missing", async () => {
    const { clock, ipv6, ipv4, log } = startRace();
    ipv4.resolve([A4]);
    await clock.advance(10);
    ipv6.resolve([]);
    await clock.run();
    expect(log()).toEqual(["1.0.0.1 10"]);
  });

  it("dials at once what comes after everything else has failed", async () => {
    const { clock, ipv6, ipv4, attempts, log, seen } = startRace();
    ipv6.resolve([A6]);
    await clock.advance(10);
    attempts[0]?.socket.reject(failed("network-unreachable"));
    await clock.advance(1000);
    expect(seen.outcome).toBeUndefined();
    ipv4.resolve([A4]);
    await clock.run();
    expect(log()).toEqual(["2600::a 0", "1.0.0.1 1010"]);
  });

  it.each([
    ["both names missing", failed("name-not-found"), failed("name-not-found"), "name-not-found"],
    [
      "one resolver silent",
      failed("name-not-found"),
      failed("host-unreachable"),
      "host-unreachable",
    ],
    ["all addresses denied", failed("denied"), failed("name-not-found"), "denied"],
  ])("tells %s", async (_what, sixes, fours, reason) => {
    const { clock, ipv6, ipv4, seen } = startRace();
    ipv6.reject(sixes);
    ipv4.reject(fours);
    await clock.run();
    expect(seen.outcome).toMatchObject({ reason });
  });

  it("tells a name without any address", async () => {
    const { seen } = await raceOf([], []);
    expect(seen.outcome).toMatchObject({ reason: "name-not-found" });
  });
});

describe("raceDials() and the attempts", () => {
  it("takes the families by turns, one each 250 ms", async () => {
    const { clock, log } = await raceOf([A6, B6, C6], [A4, B4]);
    await clock.advance(2000);
    const hosts = ["2600::a 0", "1.0.0.1 250", "2600::b 500", "1.0.0.2 750", "2600::c 1000"];
    expect(log()).toEqual(hosts);
  });

  it("goes on at once when one fails, and tries all of them", async () => {
    const { clock, attempts, log, seen } = await raceOf([A6, B6], [A4, B4, C4]);
    for (let i = 0; i < 5; i++) {
      attempts[i]?.socket.reject(failed("connection-refused"));
      await clock.run();
    }
    expect(log()).toEqual(["2600::a 0", "1.0.0.1 0", "2600::b 0", "1.0.0.2 0", "1.0.0.3 0"]);
    expect(seen.outcome).toMatchObject({ reason: "connection-refused" });
    expect(clock.timerCount).toBe(0);
  });

  it("begins a new delay after a failure", async () => {
    const { clock, attempts, log } = await raceOf([A6, B6, C6], []);
    await clock.advance(200);
    attempts[0]?.socket.reject(failed("connection-refused"));
    await clock.advance(249);
    expect(log()).toEqual(["2600::a 0", "2600::b 200"]);
    await clock.advance(1);
    expect(log().at(-1)).toBe("2600::c 450");
  });

  it("takes the first that connects, and ends the others", async () => {
    const { clock, attempts, discarded, seen } = await raceOf([A6], [A4]);
    await clock.advance(250);
    attempts[1]?.socket.resolve("IPv4");
    await clock.run();
    expect(seen.outcome).toBe("IPv4");
    expect(attempts[0]?.signal.aborted).toBe(true);
    attempts[0]?.socket.resolve("IPv6, late");
    await clock.run();
    expect(discarded).toEqual(["IPv6, late"]);
    expect(clock.timerCount).toBe(0);
  });

  it("lets a slow one win when the later ones fail", async () => {
    const { clock, attempts, seen } = await raceOf([A6], [A4]);
    await clock.advance(250);
    attempts[1]?.socket.reject(failed("connection-refused"));
    await clock.advance(5000);
    attempts[0]?.socket.resolve("IPv6, slow");
    await clock.run();
    expect(seen.outcome).toBe("IPv6, slow");
  });

  it("tells that the target refused rather than that this machine has no IPv6", async () => {
    const { clock, attempts, seen } = await raceOf([A6], [A4]);
    attempts[0]?.socket.reject(failed("network-unreachable"));
    await clock.run();
    attempts[1]?.socket.reject(failed("connection-refused"));
    await clock.run();
    expect(seen.outcome).toMatchObject({ reason: "connection-refused" });
  });

  it("begins no more than 32, however many addresses a name has", async () => {
    const many = Array.from({ length: 1000 }, (_, i) => address(`1.0.${i >> 8}.${i & 255}`));
    const { clock, attempts, seen } = await raceOf([], many);
    for (let i = 0; i < 40; i++) {
      attempts[i]?.socket.reject(failed("connection-refused"));
      await clock.run();
    }
    expect(attempts).toHaveLength(32);
    expect(seen.outcome).toMatchObject({ reason: "connection-refused" });
  });
});

describe("raceDials() with a signal", () => {
  const reason = new StreamError("cancelled", "The agent took the stream back");

  it("ends every attempt, and dials nothing more", async () => {
    const { clock, ending, attempts, discarded, seen } = await raceOf([A6, B6], [A4]);
    await clock.advance(250);
    ending.abort(reason);
    await clock.advance(5000);
    expect(seen.outcome).toBe(reason);
    expect(attempts.map(({ signal }) => signal.reason as unknown)).toEqual([reason, reason]);
    attempts[0]?.socket.resolve("late");
    await clock.run();
    expect(discarded).toEqual(["late"]);
    expect(clock.timerCount).toBe(0);
  });

  it("dials nothing when it aborts while names are looked up", async () => {
    const { clock, ending, ipv6, ipv4, attempts, seen } = startRace();
    ipv4.resolve([A4]);
    await clock.run();
    ending.abort(reason);
    ipv6.resolve([A6]);
    await clock.advance(1000);
    expect(seen.outcome).toBe(reason);
    expect(attempts).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });
});

describe("raceDials()", () => {
  it("ends in any order of events: with a connection if there was one, and no timer left", async () => {
    const lookup = fc.oneof(fc.nat(3), fc.constant("fail" as const));
    const fate = fc.tuple(fc.boolean(), fc.nat(600));
    const property = fc.asyncProperty(
      fc.record({ sixes: lookup, fours: lookup, isSixFirst: fc.boolean() }),
      fc.array(fate, { minLength: 6, maxLength: 6 }),
      async ({ sixes, fours, isSixFirst }, fates) => {
        const race = startRace();
        const answer = (which: "ipv6" | "ipv4", count: number | "fail", all: Address[]): void => {
          if (count === "fail") race[which].reject(failed("name-not-found"));
          else race[which].resolve(all.slice(0, count));
        };
        const six = (): void => answer("ipv6", sixes, [A6, B6, C6]);
        const four = (): void => answer("ipv4", fours, [A4, B4, C4]);
        (isSixFirst ? six : four)();
        await race.clock.advance(30);
        (isSixFirst ? four : six)();
        let settled = 0;
        let connected = 0;
        while (race.seen.outcome === undefined) {
          await race.clock.advance(fates[settled]?.[1] ?? 1);
          const attempt = race.attempts[settled];
          if (!attempt) continue;
          if (fates[settled++]?.[0]) attempt.socket.reject(failed("connection-refused"));
          else attempt.socket.resolve(`connected ${++connected}`);
          await race.clock.run();
        }
        if (connected > 0) expect(race.seen.outcome).toBe("connected 1");
        else expect(race.seen.outcome).toBeInstanceOf(StreamError);
        const known = (count: number | "fail"): number => (count === "fail" ? 0 : count);
        if (connected === 0) expect(settled).toBe(known(sixes) + known(fours));
        expect(race.clock.timerCount).toBe(0);
      },
    );
    await fc.assert(property, { ...SEED, numRuns: 60 });
  });
});
