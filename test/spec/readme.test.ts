import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { loadSettings, type SettingsTable, variableOf } from "../../cli/settings.ts";
import { tables } from "../../cli/tables.ts";
import { workerVariables } from "../../edge-worker/worker-variables.ts";
import { formatSettings } from "../../tools/settings-table.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const readme = read("README.md");
const pages = [
  ...readdirSync(root),
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
].filter((path) => path.endsWith(".md"));
const MANIFEST = v.object({
  scripts: v.record(v.string(), v.string()),
  devDependencies: v.record(v.string(), v.string()),
});
const manifest = v.parse(MANIFEST, JSON.parse(read("package.json")));
const commands: Readonly<Record<string, SettingsTable>> = tables;
/** What may stand in a file or a variable: all but what says what one run is to do. */
const lastingKeys = (table: SettingsTable): string[] =>
  Object.keys(table).filter((key) => table[key]?.isFlagOnly !== true);
const knownKeys = [...new Set(Object.values(commands).flatMap(lastingKeys))];

describe("README.md, settings", () => {
  it("are what `node tools/settings-table.ts` prints", () => {
    const between = /<!-- settings: .* -->\n\n([^]*)\n\n<!-- \/settings -->/.exec(readme)?.[1];
    expect(between).toBe(formatSettings());
  });

  it("of the Worker are those that it reads", () => {
    const known = Object.keys(workerVariables.entries);
    const section = /\n## On Cloudflare\n([^]*?)\n## /.exec(readme)?.[1] ?? "";
    const named = Array.from(section.matchAll(/^\| `([A-Z0-9_]+)` \|/gm), ([, name]) => name);
    expect(named.length).toBeGreaterThan(0);
    expect(new Set(named)).toEqual(new Set(known));
  });
});

describe("README.md, commands", () => {
  it.each(["npm ci && npm start", "npm ci && npm test"])("has the line %s by itself", (line) => {
    expect(readme.split("\n")).toContain(line);
  });

  it("use scripts, commands, flags and variables that exist", () => {
    const withCommands = ["README.md", "CONTRIBUTING.md", "docs/deploy.md", "docs/self-hosting.md"];
    const lines = withCommands.flatMap((page) => shellLines(read(page)));
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.flatMap(problemsOf)).toEqual([]);
  });
});

describe.each(pages)("%s", (page) => {
  it("links to files and headings that exist", () => {
    const links = Array.from(read(page).matchAll(/\]\(([^)\s]+)\)/g), ([, link = ""]) => link);
    const internal = links.filter((link) => !/^https?:/.test(link));
    expect(internal.filter((link) => !leadsSomewhere(page, link))).toEqual([]);
  });

  it("names EDGESOCKS_ variables that exist", () => {
    const known = [...knownKeys.map(variableOf), "EDGESOCKS_CONFIG"];
    const named = read(page).match(/\bEDGESOCKS_[A-Z_]*[A-Z]\b/g) ?? [];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe("edgesocks.example.toml", () => {
  const example = read("edgesocks.example.toml");
  const settings = parse(example.replaceAll(/^# ([a-z-]+ = )/gm, "$1"));

  it("changes nothing as it is", () => {
    expect(parse(example)).toEqual({});
  });

  it("has every key", () => {
    expect(new Set(Object.keys(settings))).toEqual(new Set(knownKeys));
  });

  it.each(Object.entries(commands))("has values that %s takes", (_command, table) => {
    expect(() => loadSettings(table, [{ values: settings, nameOf: (key) => key }])).not.toThrow();
  });

  it("shows the defaults", () => {
    for (const key of knownKeys) {
      const fallbacks = Object.values(commands).map((table) => table[key]?.fallback);
      const known = fallbacks.filter((fallback) => fallback !== undefined);
      if (known.length > 0) expect(known, key).toContainEqual(settings[key]);
    }
  });
});

/** The command lines of a page's `sh` blocks, one for each side of && and |. */
function shellLines(page: string): string[] {
  const blocks = page.matchAll(/^ *```sh\n([^]*?)^ *```$/gm);
  return Array.from(blocks, ([, block = ""]) => block.replaceAll("\\\n", " ").split(/\n|&&|\|/))
    .flat()
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Programs that are not ours. */
const FOREIGN = ["chromium", "curl", "docker", "openssl", "ssh", "sudo", "umask"];
/** Flags that edgesocks has beside its settings. */
const COMMON_FLAGS = ["config", "help", "version"];

/** What is wrong with a command line: words that nothing of ours knows. */
function problemsOf(line: string): string[] {
  const words = line.split(/\s+/);
  const variables = words.splice(
    0,
    words.findIndex((word) => !/^[A-Z_]+=/.test(word)),
  );
  const unknown = variables
    .map((assignment) => assignment.slice(0, assignment.indexOf("=")))
    .filter((name) => name.startsWith("EDGESOCKS_"))
    .filter((name) => !knownKeys.map(variableOf).includes(name));
  return [...unknown, ...unknownWords(words)].map((word) => `${word} in: ${line}`);
}

function unknownWords([program = "", ...words]: readonly string[]): string[] {
  switch (program) {
    case "npm":
      return unknownOfNpm(words);
    case "npx":
      return unknownWords(words);
    case "edgesocks":
      return unknownOfEdgesocks(words[0], words.slice(1));
    case "node":
      return existsSync(join(root, words[0] ?? "")) ? [] : words;
    case "wrangler":
      return Object.hasOwn(manifest.devDependencies, program) ? [] : [program];
    default:
      return FOREIGN.includes(program) ? [] : [program];
  }
}

function unknownOfNpm(words: readonly string[]): string[] {
  const isRun = words[0] === "run";
  const [script = "", ...rest] = isRun ? words.slice(1) : words;
  if (script === "ci" && !isRun) return [];
  if (!Object.hasOwn(manifest.scripts, script)) return [script];
  return script === "start" ? unknownOfEdgesocks("local", rest) : [];
}

/** Commands without settings. */
const OTHER_COMMANDS = ["hash-password"];

function unknownOfEdgesocks(command = "", words: readonly string[]): string[] {
  if (OTHER_COMMANDS.includes(command)) return [];
  const table = commands[command];
  if (!table) return command.startsWith("--") ? unknownFlags([command], {}) : [command];
  return unknownFlags(words, table);
}

function unknownFlags(words: readonly string[], table: SettingsTable): string[] {
  return words.filter((word) => {
    const name = /^--([a-z-]+)/.exec(word)?.[1];
    if (name === undefined || COMMON_FLAGS.includes(name)) return false;
    return table[name] === undefined || table[name].isSecret === true;
  });
}

/** Whether a link between our pages leads to a file and, behind "#", to a heading in it. */
function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  if (!existsSync(join(root, target))) return false;
  return anchor === undefined || anchorsOf(read(target)).includes(anchor);
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return Array.from(page.matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
