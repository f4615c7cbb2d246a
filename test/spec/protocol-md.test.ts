import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Keyring, MIN_SECRET_LENGTH, TOLERANCE_MS } from "../../protocol/admission.ts";
import type { FailureReason } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import { decodeFrames } from "../../protocol/frame.ts";
import { decodeHello } from "../../protocol/hello.ts";
import { PING_INTERVAL_MS } from "../../protocol/keep-alive.ts";
import * as wire from "../../protocol/wire.ts";
import { encodeFrames, frameOfJson, jsonOfFrame } from "../support/frame-json.ts";
import { hex, toHex } from "../support/hex.ts";
import { decodeNaively } from "../support/naive-decoder.ts";
import * as spec from "../support/protocol-md.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { helloWith } from "../support/session-pair.ts";

const root = new URL("../../", import.meta.url);
const LAYERS = ["protocol", "client-agent", "edge-worker", "cli"];

/** The text of every .ts file below some folders. */
function sourcesOf(...folders: readonly string[]): string {
  return folders
    .flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: "utf8" })
        .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
        .map((path) => readFileSync(new URL(`${folder}/${path}`, root), "utf8")),
    )
    .join("\n");
}

/** "ResumeWindow" -> "resumeWindow" */
const camel = (name: string): string => name.slice(0, 1).toLowerCase() + name.slice(1);
const numberOf = (text: string): number => Number(text.replaceAll(",", ""));
const pairsOf = (rows: string[][], name: number, number: number): Record<string, number> =>
  Object.fromEntries(rows.map((row) => [row[name] ?? "", Number(row[number])]));

describe("PROTOCOL.md, rules", () => {
  const rules = Array.from(spec.specification.matchAll(/\[M-(\d+)\]/g), ([, n]) => Number(n));

  it("are numbered from 1 without a gap, each number once", () => {
    const example = rules.indexOf(1);
    // A number is never given to another rule, so later rules have later numbers, wherever they stand.
    const own = rules.toSpliced(example, 1).toSorted((a, b) => a - b);
    expect(own).toEqual(Array.from(own, (_, index) => index + 1));
  });

  it("that a test cites exist", () => {
    const cited = Array.from(sourcesOf("test").matchAll(/\[M-(\d+)\]/g), ([, n]) => Number(n));
    expect(cited.length).toBeGreaterThan(0);
    expect(cited.filter((rule) => !rules.includes(rule))).toEqual([]);
  });

  it("are in the section that the code cites", () => {
    const cited = sourcesOf(...LAYERS).matchAll(/PROTOCOL\.md section (\d+(?:\.\d+)?)/g);
    const headings = Array.from(
      spec.specification.matchAll(/^##+ (\d+(?:\.\d+)?) /gm),
      ([, n]) => n,
    );
    expect(
      Array.from(cited, ([, n]) => n).filter((section) => !headings.includes(section)),
    ).toEqual([]);
  });

  it("name only error codes that exist", () => {
    const known = readFileSync(new URL("protocol/errors.ts", root), "utf8");
    const named = spec.specification.match(/ERR_[A-Z_]+/g) ?? [];
    expect(named.filter((code) => !known.includes(`"${code}"`))).toEqual([]);
  });
});

describe("PROTOCOL.md, tables", () => {
  it("has the frame types of the code, in sections of their own and in order", () => {
    const rows = spec.tableOf("type", "number", "id", "sent by", "section");
    const types = Object.entries(wire.FrameType).map(([name, number]) => [
      name.toUpperCase(),
      number,
    ]);
    expect(rows.map(([name, number]) => [name, Number(number)])).toEqual(types);
    for (const [name, , , , section] of rows) {
      expect(spec.specification).toContain(`\n### ${section} ${name}\n`);
    }
  });

  it("has the parameters of HELLO, their defaults, and the capability bits", () => {
    const rows = spec.tableOf("id", "parameter", "value", "absent", "meaning");
    expect(pairsOf(rows, 1, 0)).toEqual(wire.HelloParameter);
    const absent: Record<string, unknown> = { ...decodeHello(hex("01")) };
    for (const [, name = "", , value] of rows) {
      const expected = value === "empty" ? [""] : [Number(value)];
      const actual = absent[camel(name)];
      expect([actual instanceof Uint8Array ? toHex(actual) : actual], name).toEqual(expected);
    }
    const bits = spec.tableOf("bit of Capabilities", "name", "the edge relays");
    expect(pairsOf(bits, 1, 0)).toEqual(wire.Capability);
  });

  it("gives each parameter of HELLO the length that the code gives it", () => {
    const sizes: Record<string, number> = { u8: 1, u32: 4, u64: 8 };
    for (const [id, name = "", type = ""] of spec.tableOf(
      "id",
      "parameter",
      "value",
      "absent",
      "meaning",
    )) {
      const size = sizes[type];
      if (size === undefined) continue;
      const value = `${"00".repeat(size - 1)}07`;
      const parameter = `${toHex(Uint8Array.of(Number(id)))} ${toHex(Uint8Array.of(0, size))} ${value}`;
      expect(decodeHello(hex(`01 ${parameter}`)), name).toMatchObject({ [camel(name)]: 7 });
    }
  });

  it("has the commands of OPEN", () => {
    expect(pairsOf(spec.tableOf("command", "number", "as in"), 0, 1)).toEqual(wire.Command);
  });

  it("has the failure reasons, and what each client is told", () => {
    const rows = spec.tableOf("number", "reason", "SOCKS5 REP", "SOCKS4 CD", "HTTP", "when");
    expect(pairsOf(rows, 1, 0)).toEqual(wire.ReasonNumber);
    for (const [, reason, socks5, socks4, http] of rows) {
      const reply = { socks5: Number(socks5), socks4: Number(socks4), http: Number(http) };
      expect(replyTo[reason as FailureReason], reason).toEqual(reply);
    }
  });

  it("has the GOAWAY reasons and the close codes", () => {
    const reasons = spec.tableOf("number", "GOAWAY reason", "meaning");
    expect(pairsOf(reasons, 1, 0)).toEqual(wire.GoAwayReason);
    const codes = spec.tableOf("code", "WebSocket close code", "when");
    expect(pairsOf(codes, 1, 0)).toEqual(wire.CloseCode);
  });

  it("has every limit of the code with its value", () => {
    const { PROTOCOL_VERSION, SESSION_STREAM_ID, ...limits } = wire;
    const numbers = Object.entries(limits).filter(([, value]) => typeof value === "number");
    const rows = spec.tableOf("limit", "value", "who enforces it", "reaction");
    const known = {
      ...Object.fromEntries(numbers),
      TOLERANCE_MS,
      MIN_SECRET_LENGTH,
      PING_INTERVAL_MS,
    };
    const stated = rows.filter(([name = ""]) => /^[A-Z_]+$/.test(name));
    expect(Object.fromEntries(stated.map(([name, value = ""]) => [name, numberOf(value)]))).toEqual(
      known,
    );
    expect([PROTOCOL_VERSION, SESSION_STREAM_ID]).toEqual([1, 0]);
  });
});

describe("PROTOCOL.md appendix A", () => {
  const vectors = spec.vectors();

  it("has at least two messages for every frame type", () => {
    const types = vectors.flatMap(({ frames }) => frames.map(({ type }) => type));
    for (const name of Object.keys(wire.FrameType)) {
      expect(types.filter((type) => type === name).length, name).toBeGreaterThanOrEqual(2);
    }
  });

  describe.each(vectors)("$name", ({ message, frames, isCanonical }) => {
    it("decodes to the frames of the page", () => {
      expect([...decodeFrames(message)].map(jsonOfFrame)).toEqual(frames);
    });

    it("decodes to them by the naive decoder too", () => {
      expect(decodeNaively(message)).toEqual(frames);
    });

    // Others decode alike but are encoded otherwise: PROTOCOL.md marks them.
    if (!isCanonical) return;
    it("is what the frames encode to", () => {
      expect(toHex(encodeFrames(...frames.map(frameOfJson)))).toBe(toHex(message));
    });
  });
});

describe("PROTOCOL.md section A.16", () => {
  it.each(spec.violations())("$name raises $code", ({ message, code }) => {
    const decode = (): unknown => [...decodeFrames(message)];
    expect(decode).toThrow(expect.objectContaining({ name: "ProtocolError", code }));
    expect(decodeNaively(message)).toBeUndefined();
  });
});

// The violations that need a state: [M-10] [M-12] [M-18] [M-35] [M-37] and most that are cited elsewhere.
describe("PROTOCOL.md section A.17", () => {
  it.each(spec.stateViolations())("$name raises $code", async ({ message, code, state, role }) => {
    const peer = state === "open" ? await RawPeer.greeted(role) : new RawPeer(role, helloWith());
    await peer.tellBytes(message);
    const { ProtocolError, VersionMismatch } = wire.GoAwayReason;
    const reason = code === "ERR_VERSION" ? VersionMismatch : ProtocolError;
    expect(peer.ended).toMatchObject({ name: "ProtocolError", code });
    expect(peer.heard().at(-1)).toMatchObject({ type: wire.FrameType.GoAway, reason });
    expect(peer.closeCode).toBe(wire.CloseCode.ProtocolError);
  });
});

describe("PROTOCOL.md section A.18", () => {
  it.each(spec.admissionVectors())("the token of $keyId is taken", async (vector) => {
    const keyring = new Keyring([{ id: vector.keyId, secret: vector.secret, expiresAt: Infinity }]);
    const admitted = await keyring.check(vector.token, vector.place, vector.timeMs);
    expect(admitted).toMatchObject({
      keyId: vector.keyId,
      expiresAt: vector.timeMs + TOLERANCE_MS,
    });
  });
});

describe("PROTOCOL.md appendix B", () => {
  it("is what an edge answers to that agent, byte for byte", async () => {
    const messages = spec.dump();
    const [, edgeHello] = messages.flatMap(({ message }) => [...decodeFrames(message)]);
    if (edgeHello?.type !== wire.FrameType.Hello) throw new Error("The second frame is no HELLO");
    const edge = new RawPeer("edge", edgeHello.hello);
    for (const { from, message } of messages) {
      if (from === "agent") await edge.tellBytes(message);
      const stream = edge.incoming[0]?.stream;
      const [frame] = [...decodeFrames(message)];
      if (from === "agent" || frame === undefined) continue;
      if (frame.type === wire.FrameType.Opened) stream?.confirm(frame.bound);
      if (frame.type === wire.FrameType.Data)
        await Promise.all([stream?.write(frame.bytes), edge.clock.run()]);
      if (frame.type === wire.FrameType.Fin) void stream?.end();
      await edge.clock.run();
      expect(toHex(edge.messages.at(-1) ?? hex(""))).toBe(toHex(message));
    }
    expect(edge.session.streamCount).toBe(0);
    expect(edge.ended).toBeUndefined();
  });
});
