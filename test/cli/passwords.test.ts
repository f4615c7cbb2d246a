import { commandEnvironment } from "../support/command-environment.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { formatPasswordHash } from "../../client-agent/listeners/password-hash.ts";
import { hashPassword } from "../../client-agent/node/hash-passwords.ts";
import { tempFolder } from "../support/temp-folder.ts";

const COMMAND = new URL("../../bin/edgesocks.js", import.meta.url).pathname;
const PORTS = ["listen", "admin", "edge-listen"].flatMap((key) => [`--${key}`, "127.0.0.1:0"]);
const SNAPSHOT = ["--heapsnapshot-signal=SIGUSR2"];

/** `edgesocks local` in a folder with this edgesocks.toml. */
async function startIn(folder: string, variables: Readonly<Record<string, string>> = {}) {
  const args = [...SNAPSHOT, COMMAND, "local", "--runtime", "node", ...PORTS];
  const env = { ...commandEnvironment, ...variables };
  const child = spawn(process.execPath, args, { cwd: folder, env });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  const log = { text: "" };
  child.stderr.on("data", (chunk: Buffer) => (log.text += chunk.toString()));
  const [ready] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { child, log, port: Number(/socks \S+:(\d+)/.exec(ready)?.[1]) };
}

function snapshotIn(folder: string): string {
  const name = readdirSync(folder).find((file) => file.endsWith(".heapsnapshot"));
  return name !== undefined && existsSync(join(folder, name))
    ? readFileSync(join(folder, name), "utf8")
    : "";
}

describe("A password that stands as it is in edgesocks.toml", () => {
  it("is warned of by the user's name, and is nowhere in memory once the agent serves", async () => {
    const toml = 'users = ["somebody-known:a-plain-password"]\n';
    const folder = tempFolder({ "edgesocks.toml": toml });
    const { child, log } = await startIn(folder);
    expect(log.text).toMatch(
      /WARN: The password of "somebody-known" stands as it is in "users" in edgesocks\.toml: [^\n]*`edgesocks hash-password`/,
    );
    expect(log.text).not.toContain("a-plain-password");
    child.kill("SIGUSR2");
    await expect.poll(() => snapshotIn(folder), { timeout: 30_000 }).toMatch(/\]\s*\}\s*$/);
    const snapshot = snapshotIn(folder);
    expect(snapshot.includes("somebody-known")).toBe(true);
    expect(snapshot.includes("a-plain-password")).toBe(false);
  }, 60_000);
});

describe("A password that is a hash, or comes by the variable", () => {
  it("is not warned of", async () => {
    const hash = formatPasswordHash(await hashPassword("secret"));
    const hashed = await startIn(tempFolder({ "edgesocks.toml": `users = ["ann:${hash}"]\n` }));
    expect(hashed.log.text).not.toContain("WARN: The password");
    const variable = await startIn(tempFolder(), { EDGESOCKS_USERS: "ann:secret" });
    expect(variable.log.text).not.toContain("WARN: The password");
  });

  it("lets its user in", async () => {
    const hash = formatPasswordHash(await hashPassword("secret"));
    const { port } = await startIn(tempFolder(), { EDGESOCKS_USERS: `ann:${hash},bob:plain` });
    for (const [name, password, status] of [
      ["ann", "secret", 0],
      ["ann", hash, 1],
      ["bob", "plain", 0],
      ["bob", "secret", 1],
    ] as const) {
      expect(await login(port, name, password), `${name}:${password}`).toBe(status);
    }
  });
});

/** STATUS of RFC 1929. */
async function login(port: number, name: string, password: string): Promise<number | undefined> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const text = (value: string): number[] => [Buffer.byteLength(value), ...Buffer.from(value)];
  socket.write(Uint8Array.of(5, 1, 2, 1, ...text(name), ...text(password)));
  let told = Buffer.alloc(0);
  while (told.length < 4) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    told = Buffer.concat([told, chunk]);
  }
  return told[3];
}
