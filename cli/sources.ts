import { existsSync, readFileSync } from "node:fs";
import leven from "leven";
import { parse, TomlError } from "smol-toml";
import { ConfigError, messageOf } from "../protocol/errors.ts";
import { type Source, type SettingsTable, variableOf } from "./settings.ts";
import { tables } from "./tables.ts";

const DEFAULT_FILE = "edgesocks.toml";
/** Every key of every command: one file and one environment may serve several commands. */
const knownKeys = [...new Set(Object.values(tables).flatMap(lastingKeys))];

/** The flags of one command, as commander gives them (camelCase). */
export function flagSource(table: SettingsTable, flags: Readonly<Record<string, unknown>>): Source {
  const values = Object.fromEntries(
    Object.keys(table).map((key) => [
      key,
      flags[key.replaceAll(/-(.)/g, (_, c: string) => c.toUpperCase())],
    ]),
  );
  return { values, nameOf: (key) => `--${key}` };
}

/** The EDGESOCKS_* variables. @throws ConfigError for one that nothing knows */
export function environmentSource(environment: NodeJS.ProcessEnv): Source {
  const keyOf = new Map(knownKeys.map((key) => [variableOf(key), key]));
  const values: Record<string, unknown> = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith("EDGESOCKS_") || variable === CONFIG_VARIABLE) continue;
    const key = keyOf.get(variable);
    if (key === undefined)
      throw unknownName(`the variable ${variable}`, variable, [...keyOf.keys()]);
    values[key] = value;
  }
  return { values, nameOf: variableOf };
}

const CONFIG_VARIABLE = "EDGESOCKS_CONFIG";

/** The TOML file of settings: by its flag, by its variable, or edgesocks.toml in this folder. */
export function configFile(named: string | undefined, environment: NodeJS.ProcessEnv): string {
  return named ?? environment[CONFIG_VARIABLE] ?? DEFAULT_FILE;
}

/** The settings of the TOML file that was named, or of edgesocks.toml where there is one. @throws ConfigError */
export function fileSource(named: string | undefined, environment: NodeJS.ProcessEnv): Source {
  const file = settingsFile(named, environment);
  if (file === undefined) return { values: {}, nameOf: (key) => key };
  const values = readToml(file);
  for (const key of Object.keys(values)) {
    if (!knownKeys.includes(key)) throw unknownName(`the key "${key}" in ${file}`, key, knownKeys);
  }
  return { values, nameOf: (key) => `"${key}" in ${file}`, isFile: true };
}

/** The file that fileSource() reads; undefined when there is none. */
export function settingsFile(
  named: string | undefined,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const file = configFile(named, environment);
  const isNamed = named !== undefined || environment[CONFIG_VARIABLE] !== undefined;
  return isNamed || existsSync(file) ? file : undefined;
}

/** The text of a file a setting names. @throws ConfigError, one line */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError(`Cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** What a TOML file holds. @throws ConfigError, one line */
export function readToml(file: string): Record<string, unknown> {
  const text = readText(file);
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [reason = "not TOML"] = cause.message.split("\n");
    throw new ConfigError(`Cannot read ${file}, line ${cause.line}: ${reason}`, { cause });
  }
}

/** That a name means nothing here, with the nearest one that does. */
export function unknownName(what: string, key: string, known: readonly string[]): ConfigError {
  const nearest = known.toSorted((a, b) => leven(a, key) - leven(b, key))[0];
  return new ConfigError(`Cannot use ${what}: it is unknown. Did you mean ${nearest}?`);
}

function lastingKeys(table: SettingsTable): string[] {
  return Object.keys(table).filter((key) => table[key]?.isFlagOnly !== true);
}
