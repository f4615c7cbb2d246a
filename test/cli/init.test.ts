import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import * as v from "valibot";
import { afterEach, describe, expect, it } from "vitest";
import { formatConfig } from "../../cli/init.ts";
import { loadSettings } from "../../cli/settings.ts";
import { fileSource } from "../../cli/sources.ts";
import { tables } from "../../cli/tables.ts";
import { runCli } from "../support/cli.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SECRET = /^[A-Za-z0-9_-]{43}$/;
const running: RunningCommand[] = [];

afterEach(async () => {
  for (const command of running.splice(0)) await command.stop();
});

interface Place {
  readonly folder?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** Runs `edgesocks init` in a folder of its own, or in a given one. */
async function init(args: readonly string[] = [], { folder, variables }: Place = {}) {
  const place = folder ?? tempFolder();
  const outcome = await runCli(["init", ...args], variables, place);
  return { ...outcome, folder: place, file: join(place, "edgesocks.toml") };
}

const FILE = v.looseObject({ secret: v.string() });
const secretIn = (text: string): string => v.parse(FILE, parse(text)).secret;
const read = (file: string): string => readFileSync(file, "utf8");

describe("edgesocks init", () => {
  it("writes a file with a secret, for its owner alone, and shows no secret", async () => {
    const { code, stdout, stderr, file } = await init();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const secret = secretIn(read(file));
    expect(secret).toMatch(SECRET);
    expect(Buffer.from(secret, "base64url")).toHaveLength(32);
    expect(stdout).not.toContain(secret);
    expect(stdout).toContain("edgesocks.toml is written");
    expect(stdout).toContain("edgesocks deploy\n");
    expect(stdout).toContain("edgesocks agent --edge wss://HOST/");
  });

  it("makes another secret each time", async () => {
    const [first, second] = [await init(), await init()];
    expect(secretIn(read(first.file))).not.toBe(secretIn(read(second.file)));
  });

  it("writes edge and key id, by flag or variable", async () => {
    const args = ["--edge", "wss://edge.example/", "--key-id", "mine"];
    const byFlag = await init(args);
    expect(parse(read(byFlag.file))).toMatchObject({
      edge: "wss://edge.example/",
      "key-id": "mine",
    });
    expect(byFlag.stdout).toMatch(/^ {2}edgesocks agent$/m);
    const byVariable = await init([], { variables: { EDGESOCKS_EDGE: "wss://other.example/" } });
    expect(parse(read(byVariable.file))).toMatchObject({ edge: "wss://other.example/" });
  });

  it("writes what agent and edge start with", async () => {
    const { folder } = await init();
    const config = ["--config", join(folder, "edgesocks.toml")];
    const edge = await startCommand(["edge", ...config, "--listen", "127.0.0.1:0"]);
    running.push(edge);
    const url = `ws://127.0.0.1:${edge.portOf("edge")}/`;
    const args = ["agent", ...config, "--listen", "127.0.0.1:0", "--edge", url];
    const agent = await startCommand(args);
    running.push(agent);
    const connected = Promise.withResolvers<void>();
    agent.child.stderr?.on("data", (chunk: Buffer) => {
      if (chunk.includes("Connected to the edge")) connected.resolve();
    });
    await connected.promise;
  });

  it("does not touch a file that is there, whatever it is", async () => {
    const folder = tempFolder({ "edgesocks.toml": "lisen = 5\n", "other.toml": "" });
    const { code, stdout, stderr, file } = await init([], { folder });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^edgesocks: Cannot write edgesocks\.toml: .*--force[^\n]*\n$/);
    expect(read(file)).toBe("lisen = 5\n");
    symlinkSync(join(folder, "nowhere"), join(folder, "link.toml"));
    const linked = await init(["--config", "link.toml"], { folder });
    expect(linked.code).toBe(2);
    expect(existsSync(join(folder, "nowhere"))).toBe(false);
  });

  it("replaces a file with --force, and with it who may read it", async () => {
    const folder = tempFolder({ "old.toml": 'secret = "an old one, long enough"\n' });
    symlinkSync(join(folder, "old.toml"), join(folder, "edgesocks.toml"));
    const { code, file } = await init(["--force"], { folder });
    expect(code).toBe(0);
    expect(secretIn(read(file))).toMatch(SECRET);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(read(join(folder, "old.toml"))).toContain("an old one");
    expect(readdirSync(folder).toSorted()).toEqual(["edgesocks.toml", "old.toml"]);
  });

  it("writes to the file that --config or EDGESOCKS_CONFIG names", async () => {
    const byFlag = await init(["--config", "flag.toml"]);
    expect(readdirSync(byFlag.folder)).toEqual(["flag.toml"]);
    expect(byFlag.stdout).toContain("edgesocks deploy --config flag.toml\n");
    const byVariable = await init([], { variables: { EDGESOCKS_CONFIG: "variable.toml" } });
    expect(readdirSync(byVariable.folder)).toEqual(["variable.toml"]);
  });

  it("prints the file with --print, and writes none", async () => {
    const { code, stdout, stderr, folder } = await init(["--print"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(secretIn(stdout)).toMatch(SECRET);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("exits with 2 where it cannot write, and leaves nothing", async () => {
    const folder = tempFolder();
    const { code, stderr } = await init(["--config", "missing/edgesocks.toml"], { folder });
    expect({ code, stderr }).toMatchObject({ code: 2 });
    expect(stderr).toMatch(/^edgesocks: Cannot write missing\/edgesocks\.toml: ENOENT[^\n]*\n$/);
    writeFileSync(join(folder, "file"), "");
    const forced = await init(["--force", "--config", "file/edgesocks.toml"], { folder });
    expect(forced.code).toBe(2);
    // A folder cannot be replaced by a file.
    mkdirSync(join(folder, "folder.toml"));
    const onFolder = await init(["--force", "--config", "folder.toml"], { folder });
    expect(onFolder.code).toBe(2);
    expect(readdirSync(folder).toSorted()).toEqual(["file", "folder.toml"]);
  });
});

describe("formatConfig()", () => {
  it.each<[[URL, ...URL[]]]>([
    [[new URL("wss://edge.example/a%22b")]],
    [[new URL("wss://a.example/"), new URL("wss://b.example/")]],
  ])("writes settings that every command of the file takes, for %s", (edge) => {
    const text = formatConfig({ edge, "key-id": "mine" }, "a secret long enough");
    const file = join(tempFolder({ "some.toml": text }), "some.toml");
    for (const command of ["agent", "edge", "deploy"] as const) {
      const settings = loadSettings(tables[command], [fileSource(file, {})]);
      expect(settings).toMatchObject({ secret: "a secret long enough", "key-id": "mine" });
    }
    expect(loadSettings(tables.agent, [fileSource(file, {})]).edge).toEqual(edge);
  });

  it("shows where the edge goes when it is not known yet", () => {
    const text = formatConfig({ edge: undefined, "key-id": "default" }, "a secret long enough");
    expect(Object.keys(parse(text))).toEqual(["secret"]);
    expect(Object.keys(parse(text.replace("# edge =", "edge =")))).toEqual(["secret", "edge"]);
  });
});
