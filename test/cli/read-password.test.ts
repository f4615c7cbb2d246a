import { PassThrough } from "node:stream";
import type { ReadStream } from "node:tty";
import { describe, expect, it } from "vitest";
import { parsePasswordHash } from "../../client-agent/listeners/password-hash.ts";
import { deriveScrypt } from "../../client-agent/node/password-crypto.ts";
import { readPassword } from "../../cli/read-password.ts";
import { runProgram } from "../support/run-program.ts";

const COMMAND = new URL("../../bin/edgesocks.js", import.meta.url).pathname;
const TERMINAL = new URL("../support/terminal.py", import.meta.url).pathname;

/** Types into `edgesocks hash-password` on a terminal. */
async function type(...dialogue: readonly (readonly [shown: string, typed: string])[]) {
  const command = [process.execPath, COMMAND, "hash-password"];
  const { code, stdout } = await runProgram("python3", [
    TERMINAL,
    JSON.stringify(dialogue),
    ...command,
  ]);
  return { code, shown: stdout.toString() };
}

const hasPython = await runProgram("python3", ["--version"]).then(
  ({ code }) => code === 0,
  () => false,
);
if (!hasPython) process.stderr.write("Skipping what needs a terminal: there is no python3\n");

describe.skipIf(!hasPython)("readPassword() on a terminal", () => {
  it("asks twice, shows nothing of what is typed, and lets the line be edited", async () => {
    const { code, shown } = await type(
      ["Password: ", "secrx\u007fet\r"],
      ["The same again: ", "secret\r"],
    );
    expect(code).toBe(0);
    expect(shown).not.toMatch(/secr/);
    const line = /\$scrypt\$\S+/.exec(shown)?.[0] ?? "";
    const hash = parsePasswordHash(line);
    expect(await deriveScrypt(new TextEncoder().encode("secret"), hash)).toEqual(hash.hash);
  });

  it.each([
    ["two that differ", ["secret\r", "Secret\r"], "the two are not the same"],
    ["Ctrl-C", ["sec\u0003"], "nobody gave one"],
    ["Ctrl-D at the second", ["secret\r", "\u0004"], "nobody gave one"],
    ["nothing", ["\r", "\r"], "expected 1 to 255 bytes"],
  ])("exits with 2 for %s", async (_what, [first = "", second = ""], why) => {
    const { code, shown } = await type(["Password: ", first], ["The same again: ", second]);
    expect(code).toBe(2);
    expect(shown).toContain(why);
    expect(shown).not.toMatch(/sec/i);
  });
});

describe("readPassword() from elsewhere", () => {
  it("takes a line that comes in pieces, and does not wait for more", async () => {
    const input = new PassThrough();
    const reading = readPassword(input as unknown as ReadStream, new PassThrough());
    for (const piece of ["sec", "ret", "\nmore"]) input.write(piece);
    expect(await reading).toBe("secret");
  });

  it("waits no longer than for 4,096 bytes, though no line ends", async () => {
    const input = new PassThrough();
    const reading = readPassword(input as unknown as ReadStream, new PassThrough());
    input.write("x".repeat(5000));
    expect(await reading).toHaveLength(5000);
  });
});
