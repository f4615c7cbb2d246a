import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CloseCode, Command, FrameType, GoAwayReason } from "../../protocol/wire.ts";
import { type AgentEnd, connectAgent, framesOf } from "../support/agent-end.ts";
import { connectable, target } from "../support/bridge-parts.ts";
import { type CarrierPair, carrierPair } from "../support/carrier-pair.ts";
import { encodeFrames } from "../support/frame-json.ts";
import { hex, toHex } from "../support/hex.ts";
import { helloWith } from "../support/session-pair.ts";

const nothing = new Uint8Array();
/** As many as may wait at once: for one more the oldest of them would have to go. */
const WAITING = 256;
const STRANGERS = 10_000;
const THIEVES = 1000;

const tokenOf = ({ hello }: AgentEnd): Uint8Array => hello?.session ?? nothing;

/** A bridge with as many sessions as may wait for a carrier, and one more that has its own. */
async function crowdedBridge() {
  const parts = connectable({ hello: helloWith({ maxCarriers: 2, resumeWindow: 60 }) });
  const { bridge, clock, egress } = parts;
  const agents = Array.from({ length: WAITING + 1 }, () => connectAgent(clock, bridge));
  await clock.run();
  const streams = agents.map(
    ({ session }) => session?.open(Command.Connect, target, nothing).stream,
  );
  await clock.run();
  for (const dial of egress.dials) dial.succeed();
  await clock.run();
  for (const { carriers } of agents.slice(1)) carriers.cut();
  await clock.run();
  return { ...parts, agents, streams };
}

/** What an edge has said on a carrier: the type and the reason of each frame. */
function saidOn({ sent }: CarrierPair): unknown[] {
  return framesOf(sent.right).map((frame) => [frame.type, "reason" in frame && frame.reason]);
}

describe("Bridge.accept(), for a flood of carriers with tokens of no session of theirs", () => {
  it("answers each by NoSuchSession and 1002, and keeps nothing of it [M-79]", async () => {
    const { bridge, clock, tally, egress, connect, agents, streams } = await crowdedBridge();
    /** How often there was which answer. */
    const answers = new Map<string, number>();
    const join = (user: string, session: Uint8Array): void => {
      const carriers = carrierPair(clock);
      bridge.accept(user, carriers.right);
      const closed = (code: number): void => {
        const answer = JSON.stringify([...saidOn(carriers), code]);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      };
      const hello = encodeFrames({
        type: FrameType.Hello,
        hello: helloWith({ session, resumeWindow: 60, carrier: 1000 }),
      });
      carriers.left({ message: () => {}, closed }).send(hello, () => {});
    };
    const cost = () => [
      bridge.sessionCount,
      bridge.waitingCount,
      tally.sessionsBegun,
      clock.timerCount,
    ];
    const before = cost();
    expect(bridge.waitingCount).toBe(WAITING);
    for (let count = 0; count < STRANGERS; count++) join("test", randomBytes(16));
    const tokens = agents.map(tokenOf);
    for (let count = 0; count < THIEVES; count++) {
      join("another", tokens[count % tokens.length] ?? nothing);
    }
    await clock.run();
    const refusal = [[FrameType.GoAway, GoAwayReason.NoSuchSession], CloseCode.ProtocolError];
    expect([...answers]).toEqual([[JSON.stringify(refusal), STRANGERS + THIEVES]]);
    expect(cost()).toEqual(before);
    // The one that would have been the first to go, and the one that was the last to come.
    for (const index of [1, WAITING]) {
      void streams[index]?.write(hex("0102"));
      await connect({ session: tokens[index] ?? nothing }, agents[index]?.session);
      expect(toHex(egress.dials[index]?.channel.written ?? nothing)).toBe("0102");
    }
    expect(bridge.waitingCount).toBe(WAITING - 2);
  });
});
