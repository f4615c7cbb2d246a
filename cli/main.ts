import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command, CommanderError, Option } from "commander";
import * as v from "valibot";
import { ConfigError } from "../protocol/errors.ts";
import { startAgent, startEdge, startLocal } from "./commands.ts";
import { EXIT_USAGE, exitWith, serveUntilSignal, type Service } from "./lifecycle.ts";
import { loadSettings, type SettingsOf, type SettingsTable, variableOf } from "./settings.ts";
import { environmentSource, fileSource, flagSource, settingsFile } from "./sources.ts";
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
  addCommand(
    program,
    "local",
    "Agent and edge on this machine, no account needed",
    tables.local,
    startLocal,
  );
  addCommand(program, "agent", "The agent alone, for an edge elsewhere", tables.agent, startAgent);
  addCommand(program, "edge", "The edge alone, self-hosted", tables.edge, startEdge);
  return program;
}

const FILE_HELP = `
Every flag has a variable (--log-level: EDGESOCKS_LOG_LEVEL) and a key in edgesocks.toml (log-level).
A flag beats a variable, a variable beats the file.`;

function addCommand<Table extends SettingsTable>(
  program: Command,
  name: string,
  description: string,
  table: Table,
  start: (settings: SettingsOf<Table>, load: () => SettingsOf<Table>) => Promise<Service>,
): void {
  const command = program.command(name).description(description);
  command
    .helpOption("-h, --help", "Show this help")
    .option("--config <file>", "TOML file with settings");
  for (const [key, setting] of Object.entries(table)) {
    if (setting.isSecret || setting.isStructured) continue;
    const flags = setting.value === undefined ? `--${key}` : `--${key} <${setting.value}>`;
    // The default is shown, not set: a flag that was not given must let the other sources speak.
    const hint = setting.fallback === undefined ? "" : ` (default: ${textOf(setting.fallback)})`;
    command.addOption(new Option(flags, setting.help + hint));
  }
  command.addHelpText("after", secretHelp(table));
  command.action(async (flags: Record<string, unknown>) => {
    const config = typeof flags["config"] === "string" ? flags["config"] : undefined;
    const load = (): SettingsOf<Table> =>
      loadSettings(table, [
        flagSource(table, flags),
        environmentSource(process.env),
        fileSource(config, process.env),
      ]);
    const settings = load();
    const file = settingsFile(config, process.env);
    await serveUntilSignal(() => start(settings, load), file);
  });
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
