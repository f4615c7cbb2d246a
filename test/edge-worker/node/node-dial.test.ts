import { afterEach, describe, expect, it } from "vitest";
import { dialAddress } from "../../../edge-worker/node/node-dial.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { ReadMemory } from "../../../protocol/node/read-memory.ts";
import { startSilentTarget } from "../../support/silent-target.ts";
import { closedPort, startTarget, type Target } from "../../support/target.ts";

const never = new AbortController().signal;
const memory = new ReadMemory();
const cancelled = new StreamError("cancelled", "The agent took the stream back");
const targets: Target[] = [];

async function listenAt(host: string): Promise<Target> {
  const target = await startTarget((socket) => socket.pipe(socket), host);
  targets.push(target);
  return target;
}

afterEach(async () => {
  for (const target of targets.splice(0)) await target.close();
});

describe("dialAddress()", () => {
  it.each(["127.0.0.1", "::1"])("connects to %s and tells our end of it", async (host) => {
    const target = await listenAt(host);
    const incoming = target.next();
    const { channel, bound } = await dialAddress(parseAddress(host, target.port), never, memory);
    const { remoteAddress = "", remotePort = 0 } = await incoming;
    expect(bound).toEqual(parseAddress(remoteAddress, remotePort));
    await channel.write(Uint8Array.of(1, 2));
    expect(await channel.read()).toEqual(Uint8Array.of(1, 2));
    channel.abort(undefined);
  });

  it("tells a refusal", async () => {
    const dialling = dialAddress(parseAddress("127.0.0.1", await closedPort()), never, memory);
    await expect(dialling).rejects.toMatchObject({
      reason: "connection-refused",
      message: "Cannot connect: ECONNREFUSED",
    });
  });

  it("dials no name, not even one that is an address of this machine", async () => {
    const target = await listenAt("127.0.0.1");
    const dialling = dialAddress(parseAddress("localhost", target.port), never, memory);
    await expect(dialling).rejects.toMatchObject({ name: "StreamError", reason: "general" });
    expect(target.sockets.size).toBe(0);
  });

  it("dials nothing when the signal has aborted", async () => {
    const target = await listenAt("127.0.0.1");
    const dialling = dialAddress(
      parseAddress("127.0.0.1", target.port),
      AbortSignal.abort(cancelled),
      memory,
    );
    await expect(dialling).rejects.toBe(cancelled);
    expect(target.sockets.size).toBe(0);
  });

  it("ends a dial that nobody answers when the signal aborts", async () => {
    const silent = await startSilentTarget();
    const ending = new AbortController();
    const dialling = dialAddress(parseAddress("127.0.0.1", silent.port), ending.signal, memory);
    ending.abort(cancelled);
    await expect(dialling).rejects.toBe(cancelled);
    await silent.close();
  });

  it("leaves a connection alone when the signal aborts later", async () => {
    const target = await listenAt("127.0.0.1");
    const ending = new AbortController();
    const { channel } = await dialAddress(
      parseAddress("127.0.0.1", target.port),
      ending.signal,
      memory,
    );
    ending.abort(cancelled);
    await channel.write(Uint8Array.of(7));
    expect(await channel.read()).toEqual(Uint8Array.of(7));
    channel.abort(undefined);
  });
});
