import { describe, expect, it } from "vitest";
import { resumingUplink } from "../support/resuming-uplink.ts";
import { Doubt } from "../../protocol/doubt.ts";

/** A session with two carriers, of which nothing was heard for a while; and a doubt about them. */
async function begun(resumeWindow = 60) {
  const carriers = resumeWindow > 0 ? 2 : 1;
  const { clock, uplink, pairs } = await resumingUplink(carriers, 4, {
    delayMs: 0,
    windows: { resumeWindow },
  });
  await clock.advance(40_000);
  const session = await uplink.session();
  return { clock, session, pairs, doubt: new Doubt(clock) };
}

describe("Doubt", () => {
  it("is about no carrier before the network has changed", async () => {
    const { session, doubt } = await begun();
    expect(doubt.silent(session)).toEqual([]);
  });

  it("is about those that were silent since, and takes them for lost once another is there", async () => {
    const { clock, session, pairs, doubt } = await begun();
    pairs[0]?.blackHole();
    doubt.raise();
    expect(doubt.silent(session)).toHaveLength(2);
    session.probe();
    await clock.run();
    const [first, second] = session.carriers.live;
    expect(doubt.silent(session)).toEqual([first]);
    doubt.settle(session);
    expect([session.carriers.live, doubt.silent(session)]).toEqual([[second], []]);
  });

  it("spares the one carrier of a session that cannot be resumed", async () => {
    const { session, doubt } = await begun(0);
    doubt.raise();
    expect([session.linkCount, doubt.silent(session)]).toEqual([1, []]);
  });
});
