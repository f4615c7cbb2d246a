import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../protocol/bytes.ts";
import { KeepAlive, PING_INTERVAL_MS } from "../../protocol/keep-alive.ts";
import { FakeClock } from "../support/fake-clock.ts";

interface Watched {
  readonly clock: FakeClock;
  readonly alive: KeepAlive;
  /** When each PING was sent, as its stamp says, in milliseconds. */
  readonly pings: number[];
  /** Silent milliseconds that a death was announced with. */
  readonly deaths: number[];
  /** When it found that no ping was answered. */
  readonly unanswered: number[];
}

function watched(pings = true, isQuick = false): Watched {
  const clock = new FakeClock();
  const sent: number[] = [];
  const deaths: number[] = [];
  const unanswered: number[] = [];
  const alive = new KeepAlive(clock, {
    pings,
    ping: (stamp) => void sent.push(new ByteReader(stamp).u64() / 1000),
    dead: (silentMs) => void deaths.push(silentMs),
    unanswered: () => void unanswered.push(clock.now()),
  });
  if (isQuick) alive.beQuick();
  return { clock, alive, pings: sent, deaths, unanswered };
}
const stampOf = (milliseconds: number): Uint8Array =>
  new ByteWriter().u64(milliseconds * 1000).take();

describe("KeepAlive", () => {
  it("pings every 30 s, with the time of its clock in microseconds", async () => {
    const { clock, pings } = watched();
    await clock.advance(60_000);
    expect(pings).toEqual([30_000, 60_000]);
  });

  it("is dead after two missed pings: 90 s of silence, no sooner [M-28]", async () => {
    const { clock, pings, deaths } = watched();
    await clock.advance(3 * PING_INTERVAL_MS - 1);
    expect(deaths).toEqual([]);
    await clock.advance(1);
    expect([deaths, pings.length, clock.timerCount]).toEqual([[90_000], 2, 0]);
  });

  it("is dead no later than 105 s after the last sign of life, whenever that came [M-28]", async () => {
    const { clock, alive, deaths } = watched();
    await clock.advance(15_001);
    alive.heard();
    await clock.advance(105_000);
    expect(deaths).toEqual([104_999]);
  });

  it("lives while anything is heard, without an answer to its pings", async () => {
    const { clock, alive, deaths } = watched();
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(60_000);
      alive.heard();
    }
    expect(deaths).toEqual([]);
  });

  it("notices silence without pings of its own, as on the edge", async () => {
    const { clock, pings, deaths } = watched(false);
    await clock.advance(90_000);
    expect([pings, deaths]).toEqual([[], [90_000]]);
  });

  it("measures the round trip from the stamp", async () => {
    const { clock, alive } = watched();
    expect(alive.roundTripMs).toBeUndefined();
    await clock.advance(30_040);
    alive.answered(stampOf(30_000));
    expect(alive.roundTripMs).toBe(40);
  });

  it("refuses a stamp that it cannot have sent yet [M-29]", async () => {
    const { clock, alive } = watched();
    await clock.advance(1000);
    const forged = expect.objectContaining({ name: "ProtocolError", code: "ERR_FRAME_FIELD" });
    expect(() => alive.answered(stampOf(1001))).toThrow(forged);
    expect(() => alive.answered(new Uint8Array(8).fill(0xff))).toThrow(forged);
  });

  it("leaves no timer when it is stopped", async () => {
    const { clock, alive, pings } = watched();
    alive.stop();
    await clock.advance(200_000);
    expect([clock.timerCount, pings]).toEqual([0, []]);
  });
});

describe("KeepAlive, once the session can be resumed", () => {
  it("pings 3 s after the last bytes, and is dead when 5 s later nothing was heard", async () => {
    const { clock, alive, pings, deaths } = watched(true, true);
    alive.traffic();
    await clock.advance(3000);
    expect(pings).toEqual([3000]);
    await clock.advance(4999);
    expect(deaths).toEqual([]);
    await clock.advance(1);
    expect([deaths, pings, clock.timerCount]).toEqual([[8000], [3000, 6000], 0]);
  });

  it("notices within 10 s, whenever in the life of the carrier the bytes go out", async () => {
    for (let at = 0; at < 45_000; at += 4300) {
      const { clock, alive, deaths } = watched(true, true);
      for (let time = 0; time < at; time += 4300) {
        await clock.advance(4300);
        alive.heard();
      }
      alive.traffic();
      await clock.advance(10_000);
      expect(deaths, `at ${at}`).toHaveLength(1);
    }
  });

  it("pings every 3 s for a minute after the last bytes, as an answer to them may wait", async () => {
    const { clock, alive, pings, deaths } = watched(true, true);
    alive.traffic();
    for (let second = 0; second < 90; second++) {
      await clock.advance(1000);
      if (pings.at(-1) !== clock.now()) continue;
      alive.heard();
      alive.answered(stampOf(clock.now()));
    }
    const quick = Array.from({ length: 19 }, (_, index) => 3000 * (index + 1));
    expect([pings, deaths]).toEqual([[...quick, 90_000], []]);
  });

  it("is dead when other things are heard, but no ping is answered: nothing of ours arrives", async () => {
    for (const everyMs of [100, 1000, 2900]) {
      const { clock, alive, deaths, unanswered } = watched(true, true);
      alive.traffic();
      while (clock.now() < 27_000) {
        await clock.advance(everyMs);
        alive.heard();
        alive.traffic();
      }
      expect([deaths, unanswered], `heard every ${everyMs} ms`).toEqual([[], [25_000]]);
    }
  });

  it("lives while its pings are answered late, behind much else", async () => {
    const { clock, alive, pings, deaths, unanswered } = watched(true, true);
    const answered = new Set<number>();
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000);
      alive.heard();
      alive.traffic();
      for (const sentAt of pings.filter((at) => !answered.has(at) && clock.now() - at >= 15_000)) {
        answered.add(sentAt);
        alive.answered(stampOf(sentAt));
      }
    }
    expect([answered.size > 10, deaths, unanswered]).toEqual([true, [], []]);
  });

  it("is dead 5 s after an idle ping that nobody answers", async () => {
    const { clock, deaths } = watched(true, true);
    await clock.advance(34_999);
    expect(deaths).toEqual([]);
    await clock.advance(1);
    expect(deaths).toEqual([35_000]);
  });

  it("is patient with a peer that is far away", async () => {
    const { clock, alive, deaths } = watched(true, true);
    await clock.advance(34_000);
    alive.answered(stampOf(30_000));
    alive.heard();
    alive.traffic();
    await clock.advance(16_000);
    expect(deaths).toEqual([]);
    await clock.advance(4000);
    expect(deaths).toHaveLength(1);
  });

  it("pings at once when it is to probe", async () => {
    const { clock, alive, pings, deaths } = watched(true, true);
    await clock.advance(7000);
    alive.probe();
    expect(pings).toEqual([7000]);
    await clock.advance(5000);
    expect(deaths).toEqual([5000 + 7000]);
  });

  it("leaves all that alone without pings of its own, as on the edge", async () => {
    const { clock, alive, pings, deaths } = watched(false, true);
    alive.traffic();
    alive.probe();
    await clock.advance(89_999);
    expect([pings, deaths]).toEqual([[], []]);
  });
});
