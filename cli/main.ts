import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command, CommanderError, Option } from "commander";
import * as v from "valibot";
import { ConfigError } from "../protocol/errors.ts";
import { checkHealth } from "./health.ts";
import { hashPasswordEntry } from "./hash-password.ts";
import { init } from "./init.ts";
import { EXIT_USAGE, exitWith, runToEnd, serveUntilSignal, type Service } from "./lifecycle.ts";
import {
  filePlaceIn,
  loadSettings,
  type SettingsOf,
  type SettingsTable,
  type Source,
  type StartContext,
  variableOf,
} from "./settings.ts";
import { configFile, environmentSource, fileSource, flagSource, settingsFile } from "./sources.ts";
import { tables } from "./tables.ts";

const MANIFEST = v.object({ version: v.string(), description: v.string() });

/** Runs the command line `argv` (without node and script). */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) return exitWith(error);
    if (error.exitCode === 0) return;
    // No command: the help that commander has printed says it all.
    if (error.code === "commander.help") process.exit(EXIT_USAGE);
    // commander's own text, made one line: "error: unknown option '--x'\n(Did you mean ...?)".
    const text = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
    exitWith(new ConfigError(`${text}. See edgesocks --help`));
  }
}

function createProgram(): Command {
  const { version, description } = readManifest();
  const program = new Command("edgesocks")
    .description(description)
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .helpOption("-h, --help", "Show this help")
    .addHelpText("after", FILE_HELP);
  // What takes most of the time to load comes once it is needed: health and mistakes do not wait for it.
  const commands = (): Promise<typeof import("./commands.ts")> => import("./commands.ts");
  const local = "Agent and edge on this machine, no account needed";
  addService(program, "local", local, async (...of) => (await commands()).startLocal(...of));
  const agent = "The agent alone, for an edge elsewhere";
  addService(program, "agent", agent, async (...of) => (await commands()).startAgent(...of));
  const edge = "The edge alone, self-hosted";
  addService(program, "edge", edge, async (...of) => (await commands()).startEdge(...of));
  addInit(program);
  addDeploy(program);
  program
    .command("hash-password [name]")
    .description("Reads a password, and prints what to put into users in its place")
    .helpOption("-h, --help", "Show this help")
    .action(async (name?: string) => {
      process.stdout.write(`${await hashPasswordEntry(name)}\n`);
    });
  program
    .command("health")
    .description("Ask a /healthz page; exit code 0 when it says ok, else 1")
    .argument("<url>", "such as http://127.0.0.1:1081/healthz")
    .helpOption("-h, --help", "Show this help")
    .action(checkHealth);
  return program;
}

const FILE_HELP = `
Every flag has a variable (--log-level: EDGESOCKS_LOG_LEVEL) and a key in edgesocks.toml (log-level).
A flag beats a variable, a variable beats the file.`;

type Tables = typeof tables;

/** A command that serves until it is told to stop. */
function addService<Name extends "local" | "agent" | "edge">(
  program: Command,
  name: Name,
  description: string,
  start: (
    settings: SettingsOf<Tables[Name]>,
    context: StartContext<SettingsOf<Tables[Name]>>,
  ) => Promise<Service>,
): void {
  const table: Tables[Name] = tables[name];
  addCommand(program, name, description, table).action(async (flags: Flags) => {
    const readSources = (): Source[] => [...sourcesOf(table, flags), fileOf(flags)];
    const load = (): SettingsOf<Tables[Name]> => loadSettings(table, readSources());
    const sources = readSources();
    const settings = loadSettings(table, sources);
    const context = { load, placeOf: filePlaceIn(sources) };
    const file = settingsFile(namedFile(flags), process.env);
    await serveUntilSignal(() => start(settings, context), file);
  });
}

function addDeploy(program: Command): void {
  const table = tables.deploy;
  const description = "Put the Worker up at Cloudflare, through wrangler";
  addCommand(program, "deploy", description, table).action(async (flags: Flags) => {
    const settings = loadSettings(table, [...sourcesOf(table, flags), fileOf(flags)]);
    await runToEnd(async (signal) => {
      const { deploy } = await import("./deploy/deploy.ts");
      await deploy(settings, signal);
    });
  });
}

/** Its --config is the file to write, which it does not read. */
function addInit(program: Command): void {
  const table = tables.init;
  const description = "Make a secret, and an edgesocks.toml that holds it";
  const help = "TOML file to write";
  addCommand(program, "init", description, table, help).action(async (flags: Flags) => {
    const settings = loadSettings(table, sourcesOf(table, flags));
    await runToEnd(() => init(settings, configFile(namedFile(flags), process.env)));
  });
}

type Flags = Readonly<Record<string, unknown>>;

function sourcesOf(table: SettingsTable, flags: Flags): readonly Source[] {
  return [flagSource(table, flags), environmentSource(process.env)];
}

function fileOf(flags: Flags): Source {
  return fileSource(namedFile(flags), process.env);
}

function namedFile({ config }: Flags): string | undefined {
  return typeof config === "string" ? config : undefined;
}

function addCommand(
  program: Command,
  name: string,
  description: string,
  table: SettingsTable,
  configHelp = "TOML file with settings",
): Command {
  const command = program
    .command(name)
    .description(description)
    .helpOption("-h, --help", "Show this help")
    .option("--config <file>", configHelp);
  for (const [key, setting] of Object.entries(table)) {
    if (setting.isSecret || setting.isStructured) continue;
    const flags = setting.value === undefined ? `--${key}` : `--${key} <${setting.value}>`;
    // The default is shown, not set: a flag that was not given must let the other sources speak.
    const hint =
      setting.fallback === undefined || setting.isFlagOnly
        ? ""
        : ` (default: ${textOf(setting.fallback)})`;
    command.addOption(new Option(flags, setting.help + hint));
  }
  return command.addHelpText("after", secretHelp(table));
}

/** A default as a user would write it. */
function textOf(fallback: unknown): string {
  return typeof fallback === "string" ? fallback : JSON.stringify(fallback);
}

function secretHelp(table: SettingsTable): string {
  const secrets = Object.entries(table).filter(
    ([, setting]) => setting.isSecret || setting.isStructured,
  );
  if (secrets.length === 0) return "";
  const rows = secrets.map(([key, { help }]) => `  ${variableOf(key).padEnd(22)} ${help}`);
  return `\nOnly by variable or file, never by a flag:\n${rows.join("\n")}`;
}

function readManifest(): v.InferOutput<typeof MANIFEST> {
  const file = findPackageJSON(import.meta.url);
  if (file === undefined) throw new Error("Cannot find the package.json of edgesocks");
  return v.parse(MANIFEST, JSON.parse(readFileSync(file, "utf8")));
}
