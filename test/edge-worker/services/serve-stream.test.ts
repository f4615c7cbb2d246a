import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../protocol/address.ts";
import { type FailureReason, StreamError } from "../../../protocol/errors.ts";
import { replyTo } from "../../../protocol/failure.ts";
import { Command, FrameType } from "../../../protocol/wire.ts";
import { framesOf } from "../../support/agent-end.ts";
import { diallingBridge, greetedBridge, target } from "../../support/bridge-parts.ts";
import { hex } from "../../support/hex.ts";
import { FullEgress } from "../../support/service-parts.ts";
import { fateOf } from "../../support/stream-bytes.ts";

const address = parseAddress("192.0.2.1", 80);

describe("serveStream()", () => {
  it("gives each command to its service", async () => {
    const egress = new FullEgress();
    const { clock, session } = await greetedBridge({ egress });
    for (const command of Object.values(Command)) session.open(command, address, hex(""));
    await clock.run();
    expect(egress.dials).toMatchObject([{ target: address }]);
    expect(egress.listenings).toMatchObject([{ peer: address }]);
    expect(egress.associations).toHaveLength(1);
    // RESOLVE of an address asks nobody.
    expect(egress.lookups).toMatchObject([{ what: address }]);
  });

  it.each([0x00, 0x04, 0x7f, 0xff])("refuses command %i as unsupported [M-41]", async (command) => {
    const { clock, session, agent, egress } = await greetedBridge();
    const answer = fateOf(session.open(command, target, hex("")).stream.answer());
    await clock.run();
    expect(answer.now).toMatchObject({
      reason: "command-unsupported",
      message: `This edge does not serve command ${command}`,
    });
    expect(egress.dials).toHaveLength(0);
    expect(agent.failure).toBeUndefined();
  });

  it.each(Object.keys(replyTo) as FailureReason[])("tells the agent of %s", async (reason) => {
    const { clock, dial, seen, session } = await diallingBridge();
    dial.fail(new StreamError(reason, "Cannot connect: as it is"));
    await clock.run();
    expect(seen.answer).toMatchObject({ reason, message: "Cannot connect: as it is" });
    expect(session.streamCount).toBe(0);
  });

  it.each([new TypeError("out of luck"), "out of luck"])(
    "tells the agent of %s as general",
    async (thrown) => {
      const { clock, dial, seen } = await diallingBridge();
      dial.fail(thrown);
      await clock.run();
      expect(seen.answer).toMatchObject({ reason: "general", message: "out of luck" });
    },
  );

  it("logs why a stream failed, and not to whom it went", async () => {
    const { clock, dial, log } = await diallingBridge();
    dial.fail(new StreamError("connection-refused", "Cannot connect: ECONNREFUSED"));
    await clock.run();
    expect(log.lines.at(-1)).toBe(
      'debug A stream failed {"reason":"Cannot connect: ECONNREFUSED"}',
    );
  });

  it("says FAILED before the answer and RESET after it, and neither twice", async () => {
    const { clock, agent, dial, stream } = await diallingBridge();
    dial.succeed();
    await clock.run();
    dial.channel.breakOff();
    await clock.run();
    await expect(stream.read()).rejects.toMatchObject({ reason: "connection-reset" });
    const types = framesOf(agent.carriers.sent.right).map(({ type }) => type);
    expect(types.filter((type) => type === FrameType.Reset)).toHaveLength(1);
    expect(types).not.toContain(FrameType.Failed);
  });
});
