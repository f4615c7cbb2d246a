import { describe, expect, it } from "vitest";
import { MeteredChannel } from "../../../edge-worker/users/metered-channel.ts";
import { accountOf } from "../../support/account.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function metered(limits: { bytesPerDay?: number; bytesPerSecond?: number }) {
  const clock = new FakeClock();
  const inner = new FakeChannel();
  return { clock, inner, channel: new MeteredChannel(inner, accountOf({ limits, clock })) };
}

describe("MeteredChannel", () => {
  it("passes bytes and ends both ways, and counts them together", async () => {
    const { inner, channel } = metered({ bytesPerDay: 7 });
    inner.arrive(Uint8Array.of(1, 2, 3));
    inner.farEnd();
    expect(await channel.read()).toEqual(Uint8Array.of(1, 2, 3));
    expect(await channel.read()).toBeNull();
    await channel.write(Uint8Array.of(4, 5, 6, 7));
    await expect(channel.write(Uint8Array.of(8))).rejects.toMatchObject({
      reason: "quota-exceeded",
    });
    await channel.end();
    expect(inner.written).toEqual(Uint8Array.of(4, 5, 6, 7));
    expect(inner.hasEnded).toBe(true);
  });

  it("reads no further while a chunk waits for its turn", async () => {
    const { clock, inner, channel } = metered({ bytesPerSecond: 1000 });
    inner.arrive(new Uint8Array(263_144));
    let chunk: Uint8Array | null | undefined;
    void channel.read().then((read) => (chunk = read));
    await clock.advance(999);
    expect(chunk).toBeUndefined();
    await clock.advance(1);
    expect(chunk).toHaveLength(263_144);
  });

  it("stops waiting when it is aborted", async () => {
    const { clock, inner, channel } = metered({ bytesPerSecond: 1000 });
    const writing = channel.write(new Uint8Array(10_000_000));
    await clock.run();
    channel.abort(new Error("gone"));
    await expect(writing).rejects.toThrow("gone");
    expect(inner.abortReason).toBeInstanceOf(Error);
    expect(clock.timerCount).toBe(0);
  });

  it("tells when the channel breaks, and stops waiting then", async () => {
    const { clock, inner, channel } = metered({ bytesPerSecond: 1000 });
    const reasons: unknown[] = [];
    channel.onceFailed((reason) => reasons.push(reason));
    const writing = channel.write(new Uint8Array(10_000_000));
    await clock.run();
    inner.breakOff();
    await expect(writing).rejects.toMatchObject({ reason: "connection-reset" });
    expect(reasons).toHaveLength(1);
    expect(clock.timerCount).toBe(0);
  });
});
