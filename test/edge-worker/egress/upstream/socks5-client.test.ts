import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectBySocks5 } from "../../../../edge-worker/egress/upstream/socks5-client.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { EdgesocksError, HandshakeError } from "../../../../protocol/errors.ts";
import { FakeChannel } from "../../../support/fake-channel.ts";
import { CHUNK_SIZES, inChunks } from "../../../support/handshake-outcome.ts";
import { hex, toHex } from "../../../support/hex.ts";

const target = parseAddress("example.com", 443);
const REQUEST = "050100 03 0b 6578616d706c652e636f6d 01bb";
const user = { name: "ann", password: "open" };
const OPENED = "05000001 c0000207 0fa0";

/** A proxy that says `answer`, cut in `chunks`, and then leaves. */
async function ask(answer: string | readonly Uint8Array[], credentials?: typeof user) {
  const chunks = typeof answer === "string" ? [hex(answer)] : answer;
  const proxy = new FakeChannel(...chunks.filter(({ length }) => length > 0));
  proxy.farEnd();
  const connection = connectBySocks5(proxy, target, credentials);
  const error = await connection.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { proxy, connection, error, told: toHex(proxy.written) };
}

describe("connectBySocks5()", () => {
  it.each(CHUNK_SIZES)("connects without a user, in chunks of %i", async (size) => {
    const { connection, told } = await ask(inChunks(hex(`0500 ${OPENED} 68656c6c6f`), size));
    const { channel, bound } = await connection;
    expect(told).toBe(toHex(hex(`050100 ${REQUEST}`)));
    expect(bound).toEqual(parseAddress("192.0.2.7", 4000));
    const bytes: number[] = [];
    for (let chunk = await channel.read(); chunk; chunk = await channel.read())
      bytes.push(...chunk);
    expect(toHex(Uint8Array.from(bytes))).toBe("68656c6c6f");
  });

  it("gives name and password where the server asks for them", async () => {
    const { connection, told } = await ask(`0502 0100 ${OPENED}`, user);
    await connection;
    expect(told).toBe(toHex(hex(`05020002 01 03616e6e 046f70656e ${REQUEST}`)));
  });

  it("gives none where the server asks for none", async () => {
    const { connection, told } = await ask(`0500 ${OPENED}`, user);
    await connection;
    expect(told).toBe(toHex(hex(`05020002 ${REQUEST}`)));
  });

  it.each([
    ["192.0.2.9", "01 c0000209"],
    ["2001:db8::9", "04 20010db8000000000000000000000009"],
  ])("asks for %s as an address", async (host, encoded) => {
    const proxy = new FakeChannel(hex(`0500 ${OPENED}`));
    await connectBySocks5(proxy, parseAddress(host, 80), undefined);
    expect(toHex(proxy.written)).toBe(toHex(hex(`050100 050100 ${encoded} 0050`)));
  });

  it.each([
    ["an IPv6 address", "04 20010db8000000000000000000000001 0050", "2001:db8::1", 80],
    ["a name, which tells nothing", "03 05 70726f7879 0050", "0.0.0.0", 0],
    ["an empty name", "03 00 0050", "0.0.0.0", 0],
  ])("takes %s as bound", async (_what, bound, host, port) => {
    const { connection } = await ask(`0500 050000 ${bound}`);
    expect((await connection).bound).toEqual(parseAddress(host, port));
  });
});

describe("connectBySocks5() fails", () => {
  it.each([
    ["01", "general"],
    ["02", "denied"],
    ["03", "network-unreachable"],
    ["04", "host-unreachable"],
    ["05", "connection-refused"],
    ["06", "timed-out"],
    ["07", "command-unsupported"],
    ["08", "address-unsupported"],
    ["09", "general"],
    ["ff", "general"],
  ])("for REP %s with %s, even when the reply ends there", async (rep, reason) => {
    expect((await ask(`0500 05${rep}00`)).error).toMatchObject({ name: "StreamError", reason });
  });

  it.each([
    ["no method suits it", "05ff", undefined, /wants a user name/],
    ["it wants a password that we do not have", "0502", undefined, /wants a user name/],
    ["it has another method", "0501", user, /takes no password/],
    ["it refuses the password", "0502 0101", user, /refuses our user name/],
    ["it is no SOCKS5", "0400", undefined, /VER is 4/],
    ["it speaks HTTP", toHex(new TextEncoder().encode("HTTP/1.1 400")), undefined, /VER is 72/],
    ["its reply has another version", "0500 04000001 00000000 0000", undefined, /VER is 4/],
    ["its reply has an unknown address", "0500 05000002 0000", undefined, /ATYP is 2/],
  ])("when %s", async (_what, answer, credentials, text) => {
    const { error } = await ask(answer, credentials);
    expect(error).toBeInstanceOf(HandshakeError);
    expect(String(error)).toMatch(text);
    expect(String(error)).not.toContain("open");
  });

  it("when the answer is cut at any byte", async () => {
    const whole = hex(`0502 0100 ${OPENED}`);
    for (let length = 0; length < whole.length; length++) {
      const { error } = await ask([whole.subarray(0, length)], user);
      expect(error, `${length} bytes`).toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
    }
  });

  it("by an error of ours for any other bytes, and never waits for more than there are", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), async (chunks) => {
        const { error } = await ask(chunks, user);
        if (error !== undefined) expect(error).toBeInstanceOf(EdgesocksError);
      }),
      { numRuns: 500 },
    ));

  it("by an error of ours for any reply behind a greeting", () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (reply) => {
        const { error } = await ask([hex("0500 05"), reply]);
        if (error !== undefined) expect(error).toBeInstanceOf(EdgesocksError);
      }),
      { numRuns: 500 },
    ));
});
