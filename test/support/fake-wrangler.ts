import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./temp-folder.ts";

/** One run of the fake wrangler, as it saw it. */
export interface WranglerCall {
  readonly args: readonly string[];
  readonly input: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What the file behind --config held. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Whether the code was beside it. */
  readonly hasBundle?: boolean;
}

/** What the fake does for the command that begins with a word, such as "deploy". */
export interface Behaviour {
  readonly code?: number;
  readonly says?: readonly string[];
  /** A line of its output file. */
  readonly output?: object;
  /** Says all it has read, as a program that talks too much. */
  readonly isTalkative?: boolean;
  /** Says "hanging", and then nothing until it is killed. */
  readonly hangs?: boolean;
}

export interface FakeWrangler {
  /** The folder to put in front of PATH. */
  readonly folder: string;
  readonly file: string;
  calls(): readonly WranglerCall[];
}

/** An executable `wrangler` that records what it is asked, and puts nothing up anywhere. */
export function fakeWrangler(behaviours: Readonly<Record<string, Behaviour>> = {}): FakeWrangler {
  const folder = tempFolder();
  const file = join(folder, "wrangler");
  const record = join(folder, "calls.ndjson");
  writeFileSync(file, script(record, behaviours));
  chmodSync(file, 0o755);
  return {
    folder,
    file,
    calls: () => {
      if (!existsSync(record)) return [];
      const lines = readFileSync(record, "utf8").trim().split("\n");
      return lines.map((line) => JSON.parse(line) as WranglerCall);
    },
  };
}

function script(record: string, behaviours: object): string {
  return `#!/usr/bin/env node
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const args = process.argv.slice(2);
const input = readFileSync(0, "utf8");
const at = args.indexOf("--config");
const file = at < 0 ? undefined : args[at + 1];
const seen = file && {
  config: JSON.parse(readFileSync(file, "utf8")),
  hasBundle: existsSync(join(dirname(file), "worker.js")),
};
const call = { args, input, environment: process.env, ...seen };
appendFileSync(${JSON.stringify(record)}, JSON.stringify(call) + "\\n");
const { code = 0, says = [], output, isTalkative, hangs } = ${JSON.stringify(behaviours)}[args[0]] ?? {};
for (const line of says) console.log(line);
if (isTalkative) console.error("read: " + input);
if (output) appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, JSON.stringify(output) + "\\n");
process.exitCode = code;
if (hangs) {
  console.log("hanging");
  setInterval(() => {}, 1000);
}
`;
}
