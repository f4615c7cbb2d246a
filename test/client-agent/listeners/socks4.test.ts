import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { socks4 } from "../../../client-agent/listeners/socks4.ts";
import type { Users } from "../../../client-agent/listeners/users.ts";
import { parseAddress, UNSPECIFIED } from "../../../protocol/address.ts";
import { HandshakeError } from "../../../protocol/errors.ts";
import { CHUNK_SIZES, cutAt, inChunks, outcomeOf } from "../../support/handshake-outcome.ts";
import { plainUsers } from "../../support/plain-users.ts";
import { hex, toHex } from "../../support/hex.ts";

const anybody = plainUsers();
const ann = plainUsers({ ann: "secret" });
const text = (value: string): string => toHex(new TextEncoder().encode(value));

/** From the byte after VN: CONNECT to 127.0.0.1:80 as "me". */
const connect = hex(`01 0050 7f000001 ${text("me")} 00`);
/** SOCKS4a: CONNECT to "ab":80 without a user id. */
const named = hex(`01 0050 00000001 00 ${text("ab")} 00`);
const REJECTED = "005b000000000000";

describe("socks4()", () => {
  it.each(CHUNK_SIZES)("reads the same request from chunks of %i bytes", async (size) => {
    const { result, told } = await outcomeOf(socks4(anybody), inChunks(connect, size));
    const address = parseAddress("127.0.0.1", 80);
    expect(result).toMatchObject({ command: 1, address, user: "me" });
    expect(told).toBe("");
  });

  it("reads the same request however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 8 }), async (places) => {
        const { result } = await outcomeOf(socks4(anybody), cutAt(named, places));
        expect(result).toMatchObject({ address: parseAddress("ab", 80), user: undefined });
      }),
      { numRuns: 50 },
    );
  });

  it("keeps what a client sends behind its request", async () => {
    const input = Uint8Array.from([...named, ...hex("474554")]);
    expect(await outcomeOf(socks4(anybody), [input])).toMatchObject({ rest: "474554" });
  });

  it("reads BIND, and commands that nobody knows", async () => {
    for (const command of [2, 9]) {
      const input = Uint8Array.from(connect).fill(command, 0, 1);
      expect((await outcomeOf(socks4(anybody), [input])).result).toMatchObject({ command });
    }
  });

  it("takes 0.0.0.0 as an address, not as the mark of a name", async () => {
    const { result } = await outcomeOf(socks4(anybody), [hex("01 0050 00000000 00")]);
    expect(result?.address).toEqual({ ...UNSPECIFIED, port: 80 });
  });

  it("ends as cut when the client leaves, after any byte", async () => {
    for (let length = 0; length < named.length; length++) {
      const { error } = await outcomeOf(socks4(anybody), [named.subarray(0, length)]);
      expect(error, `${length} bytes`).toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
    }
  });

  it.each([
    ["user id", "01 0050 7f000001 "],
    ["name", "01 0050 00000001 00"],
  ])("answers 91 to a %s without an end after 512 bytes", async (what, head) => {
    const input = hex(head + "61".repeat(513));
    const { error, told } = await outcomeOf(socks4(anybody), [input]);
    expect(told).toBe(REJECTED);
    expect(error).toMatchObject({
      code: "ERR_HANDSHAKE",
      message: `Cannot take the request: the ${what} has more than 512 octets`,
    });
  });

  it("answers 91 for a name that is no host", async () => {
    const { error, told } = await outcomeOf(socks4(anybody), [
      hex(`01 0050 00000001 00 ${text("a/b")} 00`),
    ]);
    expect(error).toBeInstanceOf(HandshakeError);
    expect(told).toBe(REJECTED);
  });

  it("wants NAME:PASSWORD as the user id where there are users, and answers 93 for any other", async () => {
    const as = (id: string) => outcomeOf(socks4(ann), [hex(`01 0050 7f000001 ${text(id)} 00`)]);
    expect((await as("ann:secret")).result).toMatchObject({ user: "ann" });
    for (const wrong of ["", "ann", "ann:", ":secret", "ann:wrong", "bob:secret"]) {
      const { error, told } = await as(wrong);
      expect(error, wrong).toMatchObject({ code: "ERR_HANDSHAKE" });
      expect(told, wrong).toBe("005d000000000000");
    }
  });

  it("answers 91 when too many passwords are being checked", async () => {
    const busy: Users = { isRequired: true, verify: () => Promise.resolve("busy") };
    const input = hex(`01 0050 7f000001 ${text("ann:secret")} 00`);
    const { error, told } = await outcomeOf(socks4(busy), [input]);
    expect(told).toBe(REJECTED);
    expect(error).toMatchObject({ code: "ERR_HANDSHAKE" });
  });

  it("raises nothing but HandshakeErrors, whatever arrives", async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(chunks, async (input) => {
        const { error } = await outcomeOf(socks4(anybody), input);
        if (error !== undefined) expect(error).toBeInstanceOf(HandshakeError);
      }),
    );
  });
});

describe("socks4() replies", () => {
  it("grant with the bound address, as far as IPv4 can tell it", async () => {
    const { result } = await outcomeOf(socks4(anybody), [connect]);
    const granted = (host: string) =>
      toHex(result?.replies.success(parseAddress(host, 4660)) ?? hex(""));
    expect(granted("192.0.2.1")).toBe("005a1234c0000201");
    expect(granted("2001:db8::1")).toBe("005a123400000000");
  });

  it("reject with 91, whatever the reason", async () => {
    const { result } = await outcomeOf(socks4(anybody), [connect]);
    for (const reason of ["denied", "connection-refused", "command-unsupported"] as const) {
      expect(toHex(result?.replies.failure(reason) ?? hex(""))).toBe(REJECTED);
    }
  });
});
