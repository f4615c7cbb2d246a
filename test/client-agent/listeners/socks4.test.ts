import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClientRequest } from "../../../client-agent/listeners/request.ts";
import { socks4 } from "../../../client-agent/listeners/socks4.ts";
import { createUsers } from "../../../client-agent/listeners/users.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { type FailureReason, HandshakeError } from "../../../protocol/errors.ts";
import { replyTo } from "../../../protocol/failure.ts";
import {
  CHUNK_SIZES,
  cutAt,
  inChunks,
  type Outcome,
  outcomeOf,
} from "../../support/handshake-outcome.ts";
import { hex, toHex } from "../../support/hex.ts";

const anybody = createUsers(new Map());
const alice = createUsers(new Map([["alice", "secret"]]));

// socks4() begins behind VN: CD | DSTPORT | DSTIP | USERID | NUL, and in SOCKS4a, where DSTIP is
// 0.0.0.x, a name and NUL.
const connect = "01 01bb";
const none = "00";
const named = "00000001";
const text = (value: string): string => `${toHex(new TextEncoder().encode(value))} 00`;
const rejected = "005b000000000000";

const shake = (
  users: typeof anybody,
  ...input: readonly string[]
): Promise<Outcome<ClientRequest>> => outcomeOf(socks4(users), [hex(input.join(""))]);

describe("socks4()", () => {
  it.each([
    ["an IPv4 address", `01020304 ${none}`, "ipv4", "1.2.3.4"],
    ["a name", `${named} ${none} ${text("example.com")}`, "name", "example.com"],
    ["a name with another marker", `000000ff ${none} ${text("x.example")}`, "name", "x.example"],
    ["a name in capitals", `${named} ${none} ${text("EXAMPLE.com.")}`, "name", "example.com"],
    ["an IPv4 address sent as a name", `${named} ${none} ${text("1.2.3.4")}`, "ipv4", "1.2.3.4"],
    ["an IPv6 address sent as a name", `${named} ${none} ${text("::1")}`, "ipv6", "::1"],
    ["0.0.0.0, which marks no name", `00000000 ${none}`, "ipv4", "0.0.0.0"],
  ])("takes %s", async (_what, destination, kind, host) => {
    const { result, told, rest } = await shake(anybody, connect, destination);
    expect(result).toMatchObject({ command: 1, address: { kind, host, port: 443 } });
    expect({ told, rest }).toEqual({ told: "", rest: "" });
  });

  it("keeps the bytes behind the request", async () => {
    const { rest } = await shake(anybody, connect, "01020304", text("me"), "474554");
    expect(rest).toBe("474554");
  });

  it("hands on the command as it was sent", async () => {
    const { result } = await shake(anybody, "02 01bb", "01020304", none);
    expect(result?.command).toBe(2);
  });

  it("tells the user id when nobody has to name himself", async () => {
    const { result } = await shake(anybody, connect, "01020304", text("me"));
    expect(result?.user).toBe("me");
    expect((await shake(anybody, connect, "01020304", none)).result?.user).toBeUndefined();
  });

  it("takes NAME:PASSWORD as user id where there are users", async () => {
    const { result } = await shake(alice, connect, "01020304", text("alice:secret"));
    expect(result?.user).toBe("alice");
  });

  it.each(["", "alice", "alice:", "alice:wrong", "alice:secre", ":secret", "bob:secret", ":"])(
    "answers 93 to the user id %j where there are users",
    async (userId) => {
      const { error, told } = await shake(alice, connect, "01020304", text(userId));
      expect(told).toBe("005d000000000000");
      expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
      expect(String(error)).not.toMatch(/alice|secre/);
    },
  );

  it.each(["", "a b", "a..b", "example.com:80", "fe80::1%eth0"])(
    "answers 91 to a name that is none: %j",
    async (name) => {
      const { error, told } = await shake(anybody, connect, named, none, text(name));
      expect(told).toBe(rejected);
      expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
    },
  );

  it.each([
    ["a user id", "01020304"],
    ["a name", `${named} ${none}`],
  ])("refuses %s that does not end", async (_what, head) => {
    const { error } = await shake(anybody, connect, head, "61".repeat(2000));
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
  });
});

describe("socks4() on input in pieces", () => {
  const request = `${connect} ${named} ${text("alice:secret")} ${text("example.com")}`;
  const input = hex(`${request} c0ffee`);
  const whole = outcomeOf(socks4(alice), [input]);

  it.each(CHUNK_SIZES)("comes to the same in chunks of %i", async (size) => {
    expect(await outcomeOf(socks4(alice), inChunks(input, size))).toEqual(await whole);
    expect(await whole).toMatchObject({ result: { user: "alice" }, rest: "c0ffee" });
  });

  it("comes to the same however it is split", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(input.length)), async (places) => {
        expect(await outcomeOf(socks4(alice), cutAt(input, places))).toEqual(await whole);
      }),
    ));

  it("fails with ERR_HANDSHAKE_EOF when cut at any byte", async () => {
    const bytes = hex(request);
    for (let length = 0; length < bytes.length; length++) {
      const { error } = await outcomeOf(socks4(alice), [bytes.subarray(0, length)]);
      expect(error, `${length} bytes`).toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
    }
  });

  it("ends random garbage as a request or as HandshakeError", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 700 }),
        fc.boolean(),
        async (garbage, isNamed) => {
          const head = isNamed ? hex(`${connect} ${named}`) : new Uint8Array();
          const { result, error } = await outcomeOf(socks4(anybody), [head, garbage]);
          if (result === undefined) expect(error).toBeInstanceOf(HandshakeError);
        },
      ),
    ));
});

describe("socks4() replies", () => {
  const repliesOf = async () => {
    const { result } = await shake(anybody, connect, "01020304", none);
    if (!result) throw new Error("The request was not taken");
    return result.replies;
  };

  it.each([
    ["192.0.2.7", "005a 0fa0 c0000207"],
    ["::1", "005a 0fa0 00000000"],
    ["example.com", "005a 0fa0 00000000"],
  ])("tell 90 and where the socket is bound, if IPv4: %s", async (host, reply) => {
    const { success } = await repliesOf();
    expect(success(parseAddress(host, 4000))).toEqual(hex(reply));
  });

  it.each(Object.keys(replyTo) as FailureReason[])(
    "tell %s as failure.ts has it",
    async (reason) => {
      const { failure } = await repliesOf();
      const code = toHex(Uint8Array.of(replyTo[reason].socks4));
      expect(failure(reason)).toEqual(hex(`00 ${code} 0000 00000000`));
    },
  );
});
