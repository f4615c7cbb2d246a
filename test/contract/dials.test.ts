import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningEdge, serveEdge } from "../../edge-worker/node/serve.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { Admission } from "../../protocol/admission.ts";
import { parseAddress } from "../../protocol/address.ts";
import { Command } from "../../protocol/wire.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { type SilentTarget, startSilentTarget } from "../support/silent-target.ts";
import { startTarget, type Target } from "../support/target.ts";

/*
 * Dials are bounded, on every edge. Where they cannot be ended (workerd), two black holes keep both
 * of two slots beyond the connect timeout; where they can, the slots are free after it.
 */
const secret = "a secret long enough";
const nothing = new Uint8Array();
const options = {
  ...edgeDoor,
  access: { keys: [{ id: "test", secret }], rules: [] },
  allowPrivate: true,
  connectTimeoutMs: 500,
  maxDials: 2,
};

describe.each([
  ["Node", true, () => serveEdge({ ...options, log: recordedLog() })],
  [
    "workerd",
    false,
    () =>
      serveWorkerdEdge({
        ...options,
        bridge: "durable",
        log: recordedLog(),
      }),
  ],
] as const)("dials of the edge on %s", (_name, canEnd, start) => {
  let edge: RunningEdge;
  let agent: RawAgent;
  let silent: SilentTarget;
  let target: Target;

  beforeAll(async () => {
    edge = await start();
    silent = await startSilentTarget();
    target = await startTarget();
    agent = await connectRawAgent(
      new URL(`ws://127.0.0.1:${edge.port}/`),
      new Admission("test", secret),
    );
  });
  afterAll(async () => {
    await agent.close();
    await edge.stop(0);
    await silent.close();
    await target.close();
  });

  const dial = (port: number) =>
    agent.session.open(Command.Connect, parseAddress("127.0.0.1", port), nothing).stream;

  it("fail in time while they wait for their turn, and dial nothing", async () => {
    const holes = [dial(silent.port), dial(silent.port)].map((stream) => stream.answer());
    const outcomes = await Promise.allSettled(holes);
    expect(outcomes).toMatchObject([
      { status: "rejected", reason: { reason: "timed-out" } },
      { status: "rejected", reason: { reason: "timed-out" } },
    ]);
    const next = dial(target.port).answer();
    if (canEnd) {
      await expect(next).resolves.toMatchObject({ kind: "ipv4" });
    } else {
      await expect(next).rejects.toMatchObject({ reason: "timed-out" });
      expect(target.sockets.size).toBe(0);
    }
  });
});
