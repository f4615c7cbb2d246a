import { chmodSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  findWrangler,
  reasonOfFailure,
  runWrangler,
  type WranglerOptions,
  type WranglerRun,
} from "../../../cli/deploy/wrangler.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import type { Log } from "../../../protocol/log.ts";
import { type Behaviour, fakeWrangler } from "../../support/fake-wrangler.ts";
import { recordedLog } from "../../support/log.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const HERE = fileURLToPath(import.meta.url);
const SECRET = "a secret long enough";

function optionsFor(file: string, changes: Partial<WranglerOptions> = {}) {
  const log = recordedLog();
  const options: WranglerOptions = {
    program: { command: file, args: [], file },
    environment: { PATH: process.env["PATH"] ?? "" },
    hidden: [SECRET],
    log,
    signal: new AbortController().signal,
    ...changes,
  };
  return { options, log };
}

/** Runs a fake wrangler that behaves in one way. */
async function run(
  behaviour: Behaviour,
  asked: Partial<WranglerRun> = {},
  changes: Partial<WranglerOptions> = {},
) {
  const fake = fakeWrangler({ deploy: behaviour });
  const { options, log } = optionsFor(fake.file, changes);
  const outcome = await runWrangler(options, { args: ["deploy"], timeoutMs: 30_000, ...asked });
  return { outcome, log, call: fake.calls()[0] };
}

describe("findWrangler()", () => {
  it("takes the first program of that name in PATH", () => {
    const [first, second] = [fakeWrangler(), fakeWrangler()];
    const path = [tempFolder(), first.folder, second.folder].join(delimiter);
    const expected = { command: first.file, args: [], file: first.file };
    expect(findWrangler(path, [HERE])).toEqual(expected);
  });

  it("passes over folders of that name, and files that are no programs", () => {
    const folder = tempFolder({ wrangler: "" });
    chmodSync(join(folder, "wrangler"), 0o644);
    const fake = fakeWrangler();
    expect(findWrangler([folder, fake.folder].join(delimiter), []).file).toBe(fake.file);
  });

  it("takes the one that is installed beside us otherwise, on this Node", () => {
    const { command, args, file } = findWrangler("", [HERE]);
    expect(command).toBe(process.execPath);
    expect(args).toEqual([file]);
    expect(file).toMatch(/node_modules\/wrangler\/bin\/wrangler\.js$/);
  });

  it("says how to install it where there is none", () => {
    const nowhere = join(tempFolder(), "package.json");
    expect(() => findWrangler(tempFolder(), [nowhere])).toThrow(ConfigError);
    expect(() => findWrangler("", [nowhere])).toThrow(/^Cannot find wrangler, .*npm install/);
  });
});

describe("runWrangler()", () => {
  it("hands over arguments and input, and gives the exit code and the lines", async () => {
    const { outcome, call } = await run(
      { code: 3, says: ["\u001B[31mred\u001B[0m", "", "  last  "] },
      { args: ["deploy", "--x"], input: "some input" },
    );
    expect(outcome).toEqual({ code: 3, lines: ["red", "last"] });
    expect(call).toMatchObject({ args: ["deploy", "--x"], input: "some input" });
  });

  it("blanks out secrets that wrangler repeats", async () => {
    const { outcome, log } = await run({ isTalkative: true }, { input: `{"a":"${SECRET}"}` });
    expect(outcome.lines).toEqual(['read: {"a":"***"}']);
    expect(log.lines.join("\n")).not.toContain(SECRET);
  });

  it("keeps our variables and another project's environment from it", async () => {
    const environment = {
      PATH: process.env["PATH"] ?? "",
      EDGESOCKS_SECRET: SECRET,
      CLOUDFLARE_ENV: "production",
      CLOUDFLARE_API_TOKEN: "token",
    };
    const { call } = await run({}, { variables: { EXTRA: "1" } }, { environment });
    expect(call?.environment).toMatchObject({ CLOUDFLARE_API_TOKEN: "token", EXTRA: "1" });
    expect(call?.environment).not.toHaveProperty("EDGESOCKS_SECRET");
    expect(call?.environment).not.toHaveProperty("CLOUDFLARE_ENV");
  });

  it("has it ask nobody for news and write no log of its own", async () => {
    const { call } = await run({});
    expect(call?.environment).toMatchObject({
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_WRITE_LOGS: "false",
    });
  });

  it("tells its words to the log, or to nobody who has not asked for all", async () => {
    const { log: loud } = await run({ says: ["words"] });
    expect(loud.lines).toEqual(["info wrangler: words"]);
    const { log: quiet } = await run({ says: ["words"] }, { isQuiet: true });
    expect(quiet.lines).toEqual(["debug wrangler: words"]);
  });

  it("keeps the last lines of many, and the start of a long one", async () => {
    const says = Array.from({ length: 300 }, (_, index) => `line ${index}`);
    const { outcome } = await run({ says: [...says, "x".repeat(5000)] });
    expect(outcome.lines).toHaveLength(200);
    expect(outcome.lines.at(-2)).toBe("line 299");
    expect(outcome.lines.at(-1)).toHaveLength(2000);
  });

  it("ends it when it is called off", async () => {
    const fake = fakeWrangler({ deploy: { hangs: true } });
    const aborter = new AbortController();
    const abortOnWords: Log["info"] = () => aborter.abort();
    const { options } = optionsFor(fake.file, {
      signal: aborter.signal,
      log: { ...recordedLog(), info: abortOnWords },
    });
    const running = runWrangler(options, { args: ["deploy"], timeoutMs: 30_000 });
    await expect(running).rejects.toThrow(
      "Cannot wait longer for wrangler deploy: it was called off",
    );
  });

  it("ends it when its time is over", async () => {
    await expect(run({ hangs: true }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "ERR_DEPLOY",
      message: "Cannot wait longer for wrangler deploy: 0.1 s are over",
    });
  });

  it("says so when it cannot be started", async () => {
    const file = join(tempFolder(), "missing");
    const running = runWrangler(optionsFor(file).options, { args: ["deploy"], timeoutMs: 30_000 });
    await expect(running).rejects.toThrow(/^Cannot start wrangler deploy: /);
  });
});

describe("reasonOfFailure()", () => {
  it.each([
    [
      1,
      ["a", "✘ [ERROR] No account", "choose one"],
      'ended with code 1 and says "No account choose one"',
    ],
    [1, ["✘ [ERROR] first", "b", "✘ [ERROR] second"], 'ended with code 1 and says "second"'],
    [1, ["✘ [ERROR] bad", "If you think this is a bug then"], 'ended with code 1 and says "bad"'],
    [2, ["a", "b", "c", "d"], 'ended with code 2 and says "b c d"'],
    [2, [], "ended with code 2"],
    [null, [], "was ended by a signal"],
  ])("of code %j and lines %j", (code, lines, text) => {
    expect(reasonOfFailure({ code, lines })).toBe(`it ${text}`);
  });

  it("stays within a line of bounded length", () => {
    const text = reasonOfFailure({ code: 1, lines: ["[ERROR] " + "x".repeat(2000), "a\tb"] });
    expect(text.length).toBeLessThan(700);
    expect(text).not.toContain("\t");
  });
});
