import { describe, expect, it } from "vitest";
import {
  ask,
  bytes,
  drive,
  type Handshake,
  uint16,
  uint8,
  write,
} from "../../../client-agent/listeners/handshake.ts";
import { ExactReader } from "../../../protocol/exact-reader.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { CHUNK_SIZES, inChunks, outcomeOf } from "../../support/handshake-outcome.ts";
import { hex, toHex } from "../../support/hex.ts";

describe("drive()", () => {
  function* greeting(): Handshake<{ version: number; port: number; tail: string }> {
    const version = yield* uint8();
    yield* write(0x05, version);
    const port = yield* uint16();
    const tail = toHex(yield* bytes(yield* uint8()));
    yield* write(0xff);
    return { version, port, tail };
  }

  it.each(CHUNK_SIZES)("comes to the same in chunks of %i", async (size) => {
    const outcome = await outcomeOf(greeting(), inChunks(hex("04 1f90 02 aabb ccdd"), size));
    expect(outcome).toEqual({
      result: { version: 4, port: 8080, tail: "aabb" },
      rest: "ccdd",
      told: "0504ff",
    });
  });

  it("writes before it waits for more", async () => {
    const client = new FakeChannel(hex("04"));
    const driving = drive(greeting(), client, new ExactReader(client));
    await expect.poll(() => toHex(client.written)).toBe("0504");
    client.arrive(hex("0050 00"));
    expect(await driving).toEqual({ version: 4, port: 80, tail: "" });
  });

  it("rejects with what the handshake throws", async () => {
    function* failing(): Handshake<never> {
      yield* uint8();
      throw new RangeError("no");
    }
    expect((await outcomeOf(failing(), [hex("01")])).error).toEqual(new RangeError("no"));
  });

  it("rejects when the client cannot be written to", async () => {
    const client = new FakeChannel(hex("04"));
    const reader = new ExactReader(client);
    await reader.exactly(1);
    client.breakOff();
    const driving = drive(write(0x01), client, reader);
    await expect(driving).rejects.toMatchObject({ code: "connection-reset" });
  });
});

describe("ask()", () => {
  it("gives the answer, and what came meanwhile is not lost", async () => {
    const answer = Promise.withResolvers<string>();
    function* asking(): Handshake<string> {
      const first = yield* uint8();
      return `${first} ${yield* ask(() => answer.promise, "none")} ${yield* uint8()}`;
    }
    const client = new FakeChannel(hex("01"));
    const driving = drive(asking(), client, new ExactReader(client));
    client.arrive(hex("02"));
    answer.resolve("yes");
    expect(await driving).toBe("1 yes 2");
  });

  it("stops when the client breaks off", async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const asking = ask((signal) => {
      asked.resolve(signal);
      return new Promise<never>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason)),
      );
    }, undefined);
    const client = new FakeChannel();
    const driving = drive(asking, client, new ExactReader(client));
    expect((await asked.promise).aborted).toBe(false);
    client.breakOff();
    await expect(driving).rejects.toMatchObject({ code: "connection-reset" });
  });
});

describe("uint16()", () => {
  it("is big-endian", async () => {
    expect((await outcomeOf(uint16(), [hex("ff 01")])).result).toBe(0xff01);
  });
});

describe("bytes()", () => {
  it("asks for nothing when the length is 0", async () => {
    expect(bytes(0).next()).toEqual({ done: true, value: new Uint8Array() });
  });
});
