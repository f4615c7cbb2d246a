import { describe, expect, it } from "vitest";
import type { Connection } from "../../../../edge-worker/egress/egress.ts";
import { createProxyEgress } from "../../../../edge-worker/egress/upstream/proxy-egress.ts";
import { parseAddress, UNSPECIFIED } from "../../../../protocol/address.ts";
import type { ByteChannel } from "../../../../protocol/channel.ts";
import { HandshakeError, StreamError } from "../../../../protocol/errors.ts";
import { type FakeDial, FakeEgress } from "../../../support/fake-egress.ts";
import { settled } from "../../../support/settled.ts";

const address = parseAddress("10.0.0.7", 1080);
const target = parseAddress("example.com", 443);
const denyAll = (): never => {
  throw new StreamError("denied", "The policy was asked about the proxy");
};

/** A dial through a proxy that was dialled, and says what the test says. */
async function dialling(ask = (proxy: ByteChannel) => answered(proxy)) {
  const direct = new FakeEgress();
  const ending = new AbortController();
  const egress = createProxyEgress({ direct, address, ask });
  const fate = settled(egress.connect(target, denyAll, ending.signal, {}));
  return { dial: direct.dials[0] as FakeDial, ending, fate };
}

const answered = async (channel: ByteChannel): Promise<Connection> => ({
  channel,
  bound: UNSPECIFIED,
});
const pending = (proxy: ByteChannel): Promise<Connection> =>
  proxy.read().then(() => answered(proxy));

describe("createProxyEgress()", () => {
  it("dials the proxy without asking the policy, and gives what it connects to", async () => {
    const { dial, fate } = await dialling();
    expect(dial.target).toEqual(address);
    dial.succeed();
    expect(await fate).toMatchObject({ channel: dial.channel });
  });

  it("can do no more than connect", () => {
    const egress = createProxyEgress({ direct: new FakeEgress(), address, ask: answered });
    expect(Object.keys(egress)).toEqual(["connect"]);
  });

  it("fails with edge-unavailable when the proxy cannot be reached", async () => {
    const { dial, fate } = await dialling();
    dial.fail(new StreamError("connection-refused", "ECONNREFUSED"));
    const failure = (await fate) as StreamError;
    expect(failure.reason).toBe("edge-unavailable");
    expect(failure.message).toBe(
      "Cannot use the upstream: it cannot be reached (connection-refused)",
    );
  });

  it.each([
    ["of no use", new HandshakeError("ERR_HANDSHAKE", "Cannot use the upstream: VER is 4")],
    ["cut off", new StreamError("connection-reset", "The connection was cut")],
  ])("fails with edge-unavailable when the proxy is %s, and lets it go", async (_what, error) => {
    const { dial, fate } = await dialling(() => Promise.reject(error));
    dial.succeed();
    expect(await fate).toMatchObject({ name: "StreamError", reason: "edge-unavailable" });
    expect(dial.channel.abortReason).toBe(error);
  });

  it("passes on what the proxy says of the target, and lets it go", async () => {
    const error = new StreamError("connection-refused", "REP 5");
    const { dial, fate } = await dialling(() => Promise.reject(error));
    dial.succeed();
    expect(await fate).toBe(error);
    expect(dial.channel.abortReason).toBe(error);
  });

  it("lets go of a silent proxy when the signal aborts, and rejects with its reason", async () => {
    const { dial, fate, ending } = await dialling(pending);
    dial.succeed();
    await Promise.resolve();
    const reason = new StreamError("timed-out", "too late");
    ending.abort(reason);
    expect(await fate).toBe(reason);
    expect(dial.channel.abortReason).toBe(reason);
  });

  it("lets go of a proxy that was reached too late", async () => {
    const { dial, fate, ending } = await dialling();
    const reason = new StreamError("timed-out", "too late");
    ending.abort(reason);
    dial.succeed();
    expect(await fate).toBe(reason);
    expect(dial.channel.abortReason).toBe(reason);
  });

  it("is rejected with the signal's reason when the dial fails by it", async () => {
    const { dial, fate, ending } = await dialling();
    const reason = new StreamError("cancelled", "gone");
    ending.abort(reason);
    dial.fail(new Error("aborted"));
    expect(await fate).toBe(reason);
  });

  it("does not end the connection by a signal that aborts later", async () => {
    const { dial, fate, ending } = await dialling();
    dial.succeed();
    await fate;
    ending.abort("later");
    expect(dial.channel.abortReason).toBeUndefined();
  });
});
