import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { parsePasswordHash } from "../../client-agent/listeners/password-hash.ts";
import { deriveScrypt } from "../../client-agent/node/password-crypto.ts";

const COMMAND = new URL("../../bin/edgesocks.js", import.meta.url).pathname;
const LINE = /^(?:(.+):)?(\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43})\n$/;

/** Runs `edgesocks hash-password` with `input` piped in. */
async function hashPassword(args: readonly string[], input: string | Uint8Array) {
  const child = spawn(process.execPath, [COMMAND, "hash-password", ...args]);
  const told = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (told.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (told.stderr += chunk.toString()));
  // It need not read all of what is too long.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...told };
}

/** Whether a line that was printed is a hash of `password`. */
async function isOf(line: string, password: string): Promise<boolean> {
  const hash = parsePasswordHash(LINE.exec(line)?.[2] ?? "");
  const derived = await deriveScrypt(new TextEncoder().encode(password), hash);
  return Buffer.compare(derived, hash.hash) === 0;
}

describe("edgesocks hash-password", () => {
  it.each([
    ["secret\n", "secret"],
    ["secret", "secret"],
    ["secret\r\nmore\n", "secret"],
    [" with spaces \n", " with spaces "],
    ["naïve:pässword,\n", "naïve:pässword,"],
    [`${"p".repeat(255)}\n`, "p".repeat(255)],
  ])("hashes the first line of %j", async (input, password) => {
    const { code, stdout, stderr } = await hashPassword([], input);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(LINE.exec(stdout)?.[1]).toBeUndefined();
    expect(await isOf(stdout, password)).toBe(true);
  });

  it("puts the name in front, as users wants it", async () => {
    const { code, stdout } = await hashPassword(["ann"], "secret\n");
    expect(code).toBe(0);
    expect(LINE.exec(stdout)?.[1]).toBe("ann");
    expect(await isOf(stdout, "secret")).toBe(true);
  });

  it.each([
    ["no input", [], ""],
    ["an empty line", [], "\nsecret\n"],
    ["a password that no client could send", [], `${"p".repeat(256)}\n`],
    ["a line without an end", [], "p".repeat(1_000_000)],
    ["what is not UTF-8", [], Uint8Array.of(0xff, 0xfe, 0x0a)],
    ["a name with a colon", ["a:b"], "secret\n"],
    ["a name with a line end", ["a\nb"], "secret\n"],
    ["an empty name", [""], "secret\n"],
    ["a name that is too long", ["n".repeat(256)], "secret\n"],
    ["two names", ["a", "b"], "secret\n"],
    ["a flag", ["--password=secret"], "secret\n"],
  ])("exits with 2 and one line for %s", async (_what, args, input) => {
    const { code, stdout, stderr } = await hashPassword(args, input);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^edgesocks: [^\n]+\n$/);
    expect(stderr).not.toContain("ppp");
  });
});
