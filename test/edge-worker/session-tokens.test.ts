import { describe, expect, it } from "vitest";
import { SessionTokens } from "../../edge-worker/session-tokens.ts";

/** The tokens of one session, of the key "alice". */
function begun() {
  const tokens = new SessionTokens<string, string>();
  const first = tokens.begin("session", "alice");
  const use = (token: Uint8Array | undefined): Uint8Array | undefined =>
    tokens.redeem(token ?? new Uint8Array(), "alice", "carrier")?.token;
  return { tokens, first, use };
}

describe("SessionTokens", () => {
  it("gives 16 bytes that nobody can guess [M-68]", () => {
    const { tokens, first } = begun();
    expect(first).toHaveLength(16);
    expect(tokens.begin("other", "alice")).not.toEqual(first);
  });

  it("gives another token with each use, and takes the old one no more [M-79]", () => {
    const { first, use } = begun();
    const second = use(first);
    const third = use(second);
    expect([second, third].map((token) => token?.length)).toEqual([16, 16]);
    expect(third).not.toEqual(second);
    expect(use(first)).toBeUndefined();
  });

  it("takes a token again whose successor was lost, and gives the same successor", () => {
    const { first, use } = begun();
    const second = use(first);
    expect(use(first)).toEqual(second);
    expect(use(first)).toEqual(second);
    const third = use(second);
    expect(use(second)).toEqual(third);
    expect(use(first)).toBeUndefined();
  });

  it("tells who has used a token before", () => {
    const { tokens, first } = begun();
    const rivalOf = (token: Uint8Array | undefined, carrier: string): string | undefined =>
      tokens.redeem(token ?? new Uint8Array(), "alice", carrier)?.rival;
    const second = tokens.redeem(first, "alice", "one")?.token;
    expect([rivalOf(first, "two"), rivalOf(first, "three")]).toEqual(["one", "two"]);
    expect([rivalOf(second, "four"), rivalOf(second, "five")]).toEqual([undefined, "four"]);
  });

  it("takes no token of another key, and the token stays good for its own", () => {
    const { tokens, first, use } = begun();
    expect(tokens.redeem(first, "mallory", "carrier")).toBeUndefined();
    expect(use(first)).toBeDefined();
  });

  it("takes no token that it never gave out", () => {
    const { use } = begun();
    expect([use(new Uint8Array(16)), use(new Uint8Array())]).toEqual([undefined, undefined]);
  });

  it("forgets all tokens of a session that has ended", () => {
    const { tokens, first, use } = begun();
    const second = use(first);
    tokens.end("session");
    expect([use(first), use(second)]).toEqual([undefined, undefined]);
    tokens.end("session");
  });
});
