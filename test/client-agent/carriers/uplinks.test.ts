import { describe, expect, it } from "vitest";
import { Uplink } from "../../../protocol/uplink.ts";
import { type Isolation, Uplinks } from "../../../client-agent/carriers/uplinks.ts";
import { Metrics } from "../../../client-agent/observe/metrics.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { recordedLog } from "../../support/log.ts";
import { helloWith } from "../../support/session-pair.ts";

async function running(isolation: Isolation) {
  const clock = new FakeClock();
  const edge = new FakeEdge(clock);
  const metrics = new Metrics();
  const log = recordedLog();
  let made = 0;
  /** What each uplink has heard of the network. */
  const told: boolean[][] = [];
  const uplinks = new Uplinks(isolation, () => {
    made++;
    const options = {
      clock,
      log,
      metrics,
      random: () => 0,
      edge: "wss://edge.example/",
    };
    const pool = { resumeMemory: 1_000_000, carriers: { least: 1, most: 1 } };
    const uplink = new Uplink({ ...options, ...pool, dial: edge.dial, hello: helloWith() });
    const heard: boolean[] = [];
    told.push(heard);
    uplink.networkChanged = (hasSlept) => void heard.push(hasSlept);
    return uplink;
  });
  const ended = uplinks.run();
  await clock.run();
  const sessionOf = async (user: string | undefined) => {
    const session = uplinks.session(user);
    // Awaited by the caller, after the clock has run.
    session.catch(() => {});
    await clock.run();
    return session;
  };
  return { clock, uplinks, told, ended, sessionOf, made: () => made };
}

describe("Uplinks", () => {
  it("shares one session among all users unless told otherwise", async () => {
    const { sessionOf, made } = await running("none");
    expect(await sessionOf("ann")).toBe(await sessionOf("bob"));
    expect(await sessionOf(undefined)).toBe(await sessionOf("bob"));
    expect(made()).toBe(1);
  });

  it("gives each user a session that nobody else gets", async () => {
    const { sessionOf, made } = await running("user");
    const sessions = [await sessionOf("ann"), await sessionOf("bob"), await sessionOf(undefined)];
    expect(new Set(sessions).size).toBe(3);
    expect(await sessionOf("ann")).toBe(sessions[0]);
    expect(made()).toBe(3);
  });

  it("refuses users beyond its limit, and goes on with the others", async () => {
    const { sessionOf } = await running("user");
    for (let i = 1; i < 256; i++) void sessionOf(`user ${i}`);
    await expect(sessionOf("one too many")).rejects.toMatchObject({ reason: "edge-unavailable" });
    await expect(sessionOf("user 7")).resolves.toBeDefined();
  });

  it("tells each that the network has changed, and whether this machine has slept", async () => {
    const { uplinks, sessionOf, told } = await running("user");
    await sessionOf("ann");
    uplinks.networkChanged(false);
    await sessionOf("bob");
    uplinks.networkChanged(true);
    expect(told).toEqual([[false, true], [false, true], [true]]);
  });

  it("ends them all, leaves no timer, and takes nobody any more", async () => {
    const { clock, uplinks, ended, sessionOf } = await running("user");
    await sessionOf("ann");
    uplinks.stop();
    await clock.run();
    await ended;
    expect(clock.timerCount).toBe(0);
    await expect(sessionOf("ann")).rejects.toMatchObject({ reason: "edge-unavailable" });
    await expect(sessionOf("bob")).rejects.toMatchObject({ reason: "edge-unavailable" });
  });
});
