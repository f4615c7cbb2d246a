import { describe, expect, it } from "vitest";
import {
  type Claim,
  PasswordChecker,
  type Verdict,
} from "../../../client-agent/listeners/password-checker.ts";
import { plainCrypto, plainHash } from "../../support/plain-users.ts";
import { fateOf } from "../../support/stream-bytes.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const claim = (password: string, name = "ann"): Claim => ({
  name,
  password: bytes(password),
  hash: plainHash("secret"),
  isKnown: name === "ann",
});
const staying = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A checker whose runs end when the test says so. */
function slowChecker() {
  const runs: PromiseWithResolvers<Uint8Array>[] = [];
  const derived: string[] = [];
  const checker = new PasswordChecker({
    ...plainCrypto,
    derive: (password) => {
      const run = Promise.withResolvers<Uint8Array>();
      const text = new TextDecoder().decode(password);
      derived.push(text);
      runs.push(run);
      return run.promise;
    },
  });
  return {
    checker,
    derived,
    /** Ends the runs under way, each with what its password makes. */
    finish: async () => {
      for (const [i, run] of runs.entries()) run.resolve(bytes(derived[i] ?? ""));
      await turn();
    },
    fail: async (error: Error) => {
      for (const run of runs) run.reject(error);
      await turn();
    },
  };
}

describe("PasswordChecker.check()", () => {
  it.each<[string, Claim, Verdict]>([
    ["the right password", claim("secret"), "right"],
    ["a wrong one", claim("Secret"), "wrong"],
    ["the right one of an unknown name", claim("secret", "bob"), "wrong"],
  ])("tells of %s", async (_what, given, verdict) => {
    expect(await new PasswordChecker(plainCrypto).check(given, staying)).toBe(verdict);
  });

  it("shares one run among equal claims, and remembers the right one", async () => {
    const { checker, derived, finish } = slowChecker();
    const fates = Array.from({ length: 100 }, () =>
      fateOf(checker.check(claim("secret"), staying)),
    );
    await finish();
    expect(new Set(fates.map(({ now }) => now))).toEqual(new Set(["right"]));
    expect(await checker.check(claim("secret"), staying)).toBe("right");
    expect(derived).toEqual(["secret"]);
  });

  it("remembers nothing that was wrong, or another's", async () => {
    const { checker, derived, finish } = slowChecker();
    for (const given of [claim("wrong"), claim("wrong"), claim("secret", "bob")]) {
      const fate = fateOf(checker.check(given, staying));
      await finish();
      expect(fate.now).toBe("wrong");
    }
    expect(derived).toHaveLength(3);
  });

  it("has two runs at once, 128 that wait, and no more", async () => {
    const { checker, derived, finish } = slowChecker();
    const guesses = Array.from({ length: 200 }, (_, i) => claim(`guess ${i}`));
    const fates = guesses.map((guess) => fateOf(checker.check(guess, staying)));
    await turn();
    expect(derived).toEqual(["guess 0", "guess 1"]);
    expect(fates.map(({ now }) => now)).toEqual([
      ...Array.from({ length: 130 }, () => "pending"),
      ...Array.from({ length: 70 }, () => "busy"),
    ]);
    for (let i = 0; i < 65; i++) await finish();
    expect(fates.slice(0, 130).map(({ now }) => now)).toEqual(
      fates.slice(0, 130).map(() => "wrong"),
    );
    expect(derived).toHaveLength(130);
  });

  it("knows a remembered password though the line is full", async () => {
    const { checker, finish } = slowChecker();
    const first = checker.check(claim("secret"), staying);
    await finish();
    expect(await first).toBe("right");
    for (let i = 0; i < 200; i++) void checker.check(claim(`guess ${i}`), staying);
    expect(await checker.check(claim("secret"), staying)).toBe("right");
  });

  it("remembers 1,024, those that were used last", async () => {
    let runs = 0;
    const checker = new PasswordChecker({
      ...plainCrypto,
      derive: (password) => {
        runs++;
        return Promise.resolve(password);
      },
    });
    const right = (i: number): Claim => ({
      ...claim(`p${i}`),
      hash: plainHash(`p${i}`),
    });
    for (let i = 0; i < 1024; i++) await checker.check(right(i), staying);
    await checker.check(right(0), staying);
    expect(runs).toBe(1024);
    await checker.check(right(1024), staying);
    await checker.check(right(0), staying);
    expect(runs).toBe(1025);
    await checker.check(right(1), staying);
    expect(runs).toBe(1026);
  });

  it("gives up the place of a client that has gone, and keeps that of others", async () => {
    const { checker, derived, finish } = slowChecker();
    const leaving = new AbortController();
    const running = [claim("a"), claim("b")].map((each) => fateOf(checker.check(each, staying)));
    const gone = fateOf(checker.check(claim("c"), leaving.signal));
    const shared = [leaving.signal, staying].map((signal) =>
      fateOf(checker.check(claim("d"), signal)),
    );
    leaving.abort(new Error("The client broke off"));
    await turn();
    expect(gone.now).toEqual(new Error("The client broke off"));
    for (let i = 0; i < 3; i++) await finish();
    expect(derived).toEqual(["a", "b", "d"]);
    expect(running.map(({ now }) => now)).toEqual(["wrong", "wrong"]);
    expect(shared.map(({ now }) => now)).toEqual([new Error("The client broke off"), "wrong"]);
    const late = checker.check(claim("e"), leaving.signal);
    await expect(late).rejects.toThrow("The client broke off");
  });

  it("rejects when there can be no run, and goes on with the next", async () => {
    const { checker, derived, fail, finish } = slowChecker();
    const fates = ["a", "b", "c"].map((guess) => fateOf(checker.check(claim(guess), staying)));
    await fail(new Error("no memory"));
    expect(fates.map(({ now }) => now)).toEqual([
      new Error("no memory"),
      new Error("no memory"),
      "pending",
    ]);
    await finish();
    expect([fates[2]?.now, derived]).toEqual(["wrong", ["a", "b", "c"]]);
  });

  it("keeps a copy of the password: the memory is the caller's", async () => {
    const { checker, derived } = slowChecker();
    void checker.check(claim("a"), staying);
    void checker.check(claim("b"), staying);
    const third = claim("secret");
    const waiting = fateOf(checker.check(third, staying));
    third.password.fill(0);
    await turn();
    expect(waiting.now).toBe("pending");
    expect(derived).toEqual(["a", "b"]);
  });
});
