import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { tmpdir } from "node:os";
import { type SettingsTable, variableOf } from "../../cli/settings.ts";
import { tables } from "../../cli/tables.ts";
import {
  environmentOf,
  type Instruction,
  isIgnored,
  parseDockerfile,
  wholeStage,
  wordsOf,
} from "../support/dockerfile.ts";
import { findProgram } from "../support/program.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const stages = parseDockerfile(read("packaging/docker/Dockerfile"));
const ignore = read(".dockerignore");
const commands: Readonly<Record<string, SettingsTable>> = tables;
const TARGETS = ["edge", "agent"];

/** COPY: where from, what, and to where. */
function copyOf({ text }: Instruction) {
  const [, from, words = ""] = /^(?:--from=(\S+) )?(.+)$/.exec(text) ?? [];
  const sources = words.split(/\s+/);
  const target = sources.pop() ?? "";
  return { from, sources, target };
}

describe("packaging/docker/Dockerfile", () => {
  it("copies what is there and is not ignored", () => {
    const copies = stages.flatMap(({ instructions }) =>
      instructions.filter(({ keyword }) => keyword === "COPY").map(copyOf),
    );
    const fromContext = copies.filter(({ from }) => from === undefined);
    const sources = fromContext.flatMap((copy) => copy.sources).filter((source) => source !== ".");
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true);
      expect(isIgnored(ignore, source), source).toBe(false);
    }
    const known = stages.map(({ name }) => name);
    for (const { from } of copies) if (from !== undefined) expect(known).toContain(from);
  });

  it("is based on one image of the Node that package.json pins", () => {
    const { devDependencies } = JSON.parse(read("package.json")) as {
      devDependencies: { node: string };
    };
    const images = new Set(stages.map(({ base }) => base).filter((base) => base.includes(":")));
    expect([...images]).toEqual([`node:${devDependencies.node}-bookworm-slim`]);
  });

  it.each(TARGETS)("runs %s as somebody who is not root, with a health check", (target) => {
    const all = wholeStage(stages, target);
    expect(all.findLast(({ keyword }) => keyword === "USER")?.text).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(wordsOf(all, "CMD")).toEqual([target]);
    expect(wordsOf(all, "HEALTHCHECK").slice(0, 3)).toEqual([
      ...wordsOf(all, "ENTRYPOINT"),
      "health",
    ]);
    const known = Object.keys(commands[target] ?? {}).map(variableOf);
    const set = Object.keys(environmentOf(all)).filter((name) => name.startsWith("EDGESOCKS_"));
    expect(set.filter((name) => !known.includes(name))).toEqual([]);
    expect(environmentOf(all)).toMatchObject({ EDGESOCKS_DRAIN_TIMEOUT: "30" });
  });

  it("has the edge as its last stage, which is the default", () => {
    expect(stages.at(-1)?.name).toBe("edge");
  });
});

describe(".dockerignore", () => {
  it.each([
    ".git",
    "node_modules",
    "dist",
    "edgesocks.toml",
    "some.secret",
    "key.pem",
    ".env",
    "test",
  ])("leaves out %s", (name) => expect(isIgnored(ignore, name)).toBe(true));
});

const NEEDED = ["unshare", "nsenter", "setpriv", "ip"];
const missing = reasonToSkip();
if (missing !== undefined) process.stderr.write(`Skipping the image's contents: ${missing}\n`);

/** No container engine is asked for: the steps of the Dockerfile are taken in a folder instead. */
describe.skipIf(missing !== undefined)("the image's contents", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "edgesocks-image-"));
    chmodSync(folder, 0o755);
    for (const { name } of stages) buildStage(folder, name);
    // The user of the image must be able to reach it, wherever this checkout is.
    copyFileSync(process.execPath, join(folder, "node"));
    chmodSync(join(folder, "node"), 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ["edge", {}, /^ready edge ws:\/\/0\.0\.0\.0:8443\/ ws:\/\/127\.0\.0\.1:8080\/ \(node\)$/],
    [
      "agent",
      { EDGESOCKS_USERS: "ann:her-password", EDGESOCKS_EDGE: "ws://127.0.0.1:9/" },
      /^ready socks 0\.0\.0\.0:1080 admin 127\.0\.0\.1:1081 /,
    ],
  ])("serves as %s, is found healthy, and ends with 0", async (target, variables, expected) => {
    const secret = { EDGESOCKS_SECRET: "a secret long enough" };
    const { child, ready } = await runTarget(folder, target, { ...secret, ...variables });
    expect(ready).toMatch(expected);
    expect(healthOf(folder, target, child)).toBe(0);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    expect((await exited)[0]).toBe(0);
  });

  it("is found ill when it does not serve", async () => {
    const { child } = await runTarget(folder, "edge", {
      EDGESOCKS_SECRET: "a secret long enough",
      EDGESOCKS_LISTEN_PLAIN: "127.0.0.1:8081",
    });
    expect(healthOf(folder, "edge", child)).toBe(1);
  });
});

function reasonToSkip(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may make a network namespace";
  const absent = NEEDED.filter((name) => findProgram(name) === undefined);
  return absent.length === 0 ? undefined : `not installed: ${absent.join(", ")}`;
}

/** Takes the steps of a stage that bring files: folder/STAGE is its /app. */
function buildStage(folder: string, name: string): void {
  const app = join(folder, name);
  mkdirSync(app, { recursive: true });
  for (const instruction of wholeStage(stages, name)) {
    if (instruction.keyword === "COPY") copyFiles(folder, app, instruction);
    else if (instruction.keyword === "RUN") runStep(app, instruction.text);
  }
}

function copyFiles(folder: string, app: string, instruction: Instruction): void {
  const { from, sources, target } = copyOf(instruction);
  for (const source of sources) {
    const names =
      source === "." ? readdirSync(root).filter((name) => !isIgnored(ignore, name)) : [source];
    for (const name of names) {
      const origin =
        from === undefined ? join(root, name) : name.replace("/app", join(folder, from));
      const into =
        target.endsWith("/") || target === "."
          ? join(app, target, basename(name))
          : join(app, target);
      cpSync(origin, into, { recursive: true, dereference: true });
    }
  }
}

/** The steps that are known. What npm would fetch is taken from this checkout, which has it. */
function runStep(app: string, command: string): void {
  const path = `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`;
  switch (command) {
    case "npm ci --ignore-scripts":
      return symlinkSync(join(root, "node_modules"), join(app, "node_modules"));
    case "npm ci --omit=dev --ignore-scripts":
      for (const name of packagesInProduction()) {
        cpSync(join(root, name), join(app, name), { recursive: true });
      }
      return;
    case "npm run build":
      return void execFileSync("sh", ["-c", command], {
        cwd: app,
        env: { PATH: path },
        stdio: "pipe",
      });
    case "rm -rf node_modules/typescript node_modules/@typescript":
      // Not done: it is a peer, and was not taken. A test had better not delete by other people's lines.
      return;
    default:
      throw new Error(`The test does not know the step: ${command}`);
  }
}

/** The folders of the packages that package-lock.json has for more than development. */
function packagesInProduction(): string[] {
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { dev?: true; devOptional?: true; peer?: true }>;
  };
  return Object.entries(packages)
    .filter(([name, entry]) => name !== "" && !entry.dev && !entry.devOptional && !entry.peer)
    .map(([name]) => name)
    .filter((name) => existsSync(join(root, name)));
}

/** The words of an instruction, with the files of the image where they are here. */
function located(folder: string, target: string, words: readonly string[]): string[] {
  return words.map((word) =>
    word === "node" ? join(folder, "node") : word.replace("/app/", `${join(folder, target)}/`),
  );
}

/** Starts a target as its image would: as its user, with its variables, and a network of its own. */
async function runTarget(
  folder: string,
  target: string,
  variables: Readonly<Record<string, string>>,
) {
  const all = wholeStage(stages, target);
  const user = all.findLast(({ keyword }) => keyword === "USER")?.text.split(":") ?? [];
  const env = { PATH: process.env["PATH"] ?? "", ...environmentOf(all), ...variables };
  const words = located(folder, target, [...wordsOf(all, "ENTRYPOINT"), ...wordsOf(all, "CMD")]);
  const become = ["setpriv", `--reuid=${user[0]}`, `--regid=${user[1]}`, "--clear-groups"];
  const script = 'ip link set lo up && exec "$@"';
  const child = spawn("unshare", ["-n", "sh", "-c", script, "sh", ...become, ...words], {
    cwd: "/",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const ready = once(createInterface({ input: child.stdout }), "line").then(([line]) =>
    String(line),
  );
  const ended = once(child, "exit").then(() => Promise.reject(new Error(`It ended: ${errors}`)));
  ended.catch(() => {});
  return { child, ready: await Promise.race([ready, ended]) };
}

/** The exit code of the target's HEALTHCHECK, within the network of a running one. */
function healthOf(folder: string, target: string, { pid }: ChildProcess): number {
  const words = located(folder, target, wordsOf(wholeStage(stages, target), "HEALTHCHECK"));
  try {
    execFileSync("nsenter", ["-t", String(pid), "-n", ...words], { stdio: "pipe" });
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}
