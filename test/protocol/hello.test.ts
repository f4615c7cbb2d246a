import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../protocol/bytes.ts";
import { decodeHello, encodeHello, type Hello } from "../../protocol/hello.ts";
import { HelloParameter, MAX_SESSION_TOKEN, MAX_TEXT } from "../../protocol/wire.ts";
import { hellos, SEED } from "../support/arbitraries.ts";
import { hex } from "../support/hex.ts";
import { helloWith } from "../support/session-pair.ts";

const code = (expected: string): unknown =>
  expect.objectContaining({ name: "ProtocolError", code: expected });

function encoded(hello: Hello): Uint8Array {
  const writer = new ByteWriter();
  encodeHello(writer, hello);
  return writer.take();
}

/** A payload of version 1 with one parameter. */
function parameter(id: number, value: Uint8Array): Uint8Array {
  return new ByteWriter().u8(1).u8(id).u16(value.length).bytes(value).take();
}

describe("encodeHello()", () => {
  it("writes what decodeHello() reads", () => {
    const property = fc.property(hellos, (hello) => {
      expect(decodeHello(encoded(hello))).toEqual(hello);
    });
    fc.assert(property, { ...SEED, numRuns: 1000 });
  });

  it("cuts runtime and place to MAX_TEXT bytes", () => {
    const { runtime, place } = decodeHello(
      encoded(helloWith({ runtime: "é".repeat(200), place: "x".repeat(300) })),
    );
    expect(runtime).toBe("é".repeat(127));
    expect(place).toBe("x".repeat(MAX_TEXT));
  });
});

describe("decodeHello()", () => {
  it("refuses a payload cut at any byte but between parameters", () => {
    const bytes = encoded(
      helloWith({ session: new Uint8Array(16), runtime: "node", place: "AMS" }),
    );
    const ends = new Set([1]);
    for (let at = 1; at < bytes.length; at += 3 + (bytes[at + 2] ?? 0)) ends.add(at);
    for (let length = 0; length < bytes.length; length++) {
      const decode = (): unknown => decodeHello(bytes.subarray(0, length));
      if (ends.has(length)) expect(decode, `${length} bytes`).not.toThrow();
      else expect(decode, `${length} bytes`).toThrow(code("ERR_FRAME_LENGTH"));
    }
  });

  it("takes parameters in any order", () => {
    const forwards = decodeHello(hex("01 01000400000007 05000102"));
    expect(decodeHello(hex("01 05000102 01000400000007"))).toEqual(forwards);
    expect(forwards).toMatchObject({ streamWindow: 7, maxCarriers: 2 });
  });

  it("passes over parameters that it does not know [M-25]", () => {
    const known: ReadonlySet<number> = new Set(Object.values(HelloParameter));
    const plain = decodeHello(hex("01"));
    for (let id = 0; id < 256; id++) {
      if (!known.has(id))
        expect(decodeHello(parameter(id, hex("cafe"))), String(id)).toEqual(plain);
    }
  });

  it("refuses any parameter twice, known or not [M-23]", () => {
    for (let id = 0; id < 256; id++) {
      const twice = new ByteWriter().u8(1);
      const isText = id === HelloParameter.Runtime || id === HelloParameter.Place;
      const isEmpty = isText || id === HelloParameter.Session || !known(id);
      const value = isEmpty ? new Uint8Array() : new Uint8Array(sizeOf(id));
      for (let time = 0; time < 2; time++) twice.u8(id).u16(value.length).bytes(value);
      expect(() => decodeHello(twice.take()), String(id)).toThrow(code("ERR_FRAME_FIELD"));
    }
  });

  it("refuses a number of the wrong length [M-22]", () => {
    for (const id of Object.values(HelloParameter)) {
      if (sizeOf(id) === 0) continue;
      for (const length of [0, sizeOf(id) - 1, sizeOf(id) + 1]) {
        const decode = (): unknown => decodeHello(parameter(id, new Uint8Array(length)));
        expect(decode, `${id} of ${length}`).toThrow(code("ERR_FRAME_LENGTH"));
      }
    }
  });

  it("takes the longest token and texts, and refuses one byte more [M-24]", () => {
    const longest = [
      [HelloParameter.Session, MAX_SESSION_TOKEN],
      [HelloParameter.Runtime, MAX_TEXT],
      [HelloParameter.Place, MAX_TEXT],
    ] as const;
    for (const [id, length] of longest) {
      expect(() => decodeHello(parameter(id, new Uint8Array(length).fill(0x61)))).not.toThrow();
      const over = parameter(id, new Uint8Array(length + 1).fill(0x61));
      expect(() => decodeHello(over)).toThrow(code("ERR_FRAME_FIELD"));
    }
  });

  it("copies the token: it outlives the message that it came in", () => {
    const bytes = parameter(HelloParameter.Session, hex("0102"));
    const { session } = decodeHello(bytes);
    bytes.fill(0xff);
    expect(session).toEqual(hex("0102"));
  });
});

function known(id: number): boolean {
  return (Object.values(HelloParameter) as number[]).includes(id);
}

/** Bytes of a parameter that is a number; 0 for one that is not. */
function sizeOf(id: number): number {
  const { SessionWindow, MaxCarriers, MaxBytes, Session, Runtime, Place } = HelloParameter;
  if (!known(id) || id === Session || id === Runtime || id === Place) return 0;
  if (id === SessionWindow || id === MaxBytes) return 8;
  return id === MaxCarriers ? 1 : 4;
}
