import * as v from "valibot";
import { ConfigError } from "../protocol/errors.ts";

/** One setting: its flag, variable, file key, --help text and README row are all made from this. */
export interface Setting<Schema extends v.GenericSchema = v.GenericSchema> {
  readonly schema: Schema;
  readonly help: string;
  /** Used when no source gives a value, in the form a user would write. Without it: undefined. */
  readonly fallback?: v.InferInput<Schema>;
  /** The flag's placeholder; a setting without it is a switch. */
  readonly value?: string;
  /** Settings of one group say the same thing in different ways: they are all taken from one source. */
  readonly group?: string;
  /** A list of tables: has no flag, and its variable holds JSON. */
  readonly isStructured?: true;
  /** Has no flag, as command lines are seen by others, and is never printed. */
  readonly isSecret?: true;
  /** Says what one run is to do, so it has neither variable nor key. */
  readonly isFlagOnly?: true;
}

export type SettingsTable = Readonly<Record<string, Setting>>;

/** What loadSettings() returns for a table. */
export type SettingsOf<Table extends SettingsTable> = {
  readonly [Key in keyof Table]:
    | v.InferOutput<Table[Key]["schema"]>
    | (Table[Key] extends { readonly fallback: unknown } ? never : undefined);
};

/** Raw values by kebab-case key, and how a message names the place of one. */
export interface Source {
  readonly values: Readonly<Record<string, unknown>>;
  readonly nameOf: (key: string) => string;
  /** What stands in it stays there, for whoever may read the file. */
  readonly isFile?: true;
}

/** The place of a setting that comes from a file, as a message names it; undefined for others. */
export type FilePlace = (key: string) => string | undefined;

/** What a command is given beside its settings. */
export interface StartContext<Settings> {
  /** Reads the settings again. @throws ConfigError, one line */
  readonly load: () => Settings;
  readonly placeOf: FilePlace;
}

/** The values of `table`, each from the first source that has it. @throws ConfigError, one line */
export function loadSettings<Table extends SettingsTable>(
  table: Table,
  sources: readonly Source[],
): SettingsOf<Table> {
  const loaded: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    const keys = groupOf(table, key, setting);
    const source = sources.find(({ values }) => keys.some((name) => values[name] !== undefined));
    const raw = source ? source.values[key] : setting.fallback;
    if (raw === undefined) continue;
    const result = v.safeParse(setting.schema, raw);
    if (!result.success) {
      const place = source ? source.nameOf(key) : `the default of ${key}`;
      const shown = setting.isSecret ? "a secret for " : `${show(raw)} for `;
      const what = setting.isStructured ? place : shown + place;
      throw new ConfigError(`Cannot use ${what}: ${result.issues[0].message}`);
    }
    loaded[key] = result.output;
  }
  return loaded as SettingsOf<Table>;
}

/** Where the file has the settings that no other source has. */
export function filePlaceIn(sources: readonly Source[]): FilePlace {
  return (key) => {
    const source = sources.find(({ values }) => values[key] !== undefined);
    return source?.isFile ? source.nameOf(key) : undefined;
  };
}

/** A raw value for an error: as JSON, but for what JSON has no word for, and without passwords. */
function show(raw: unknown): string {
  if (typeof raw === "number") return String(raw);
  return JSON.stringify(raw).replaceAll(/\/\/[^/@]*@/g, "//***@");
}

function groupOf(table: SettingsTable, key: string, { group }: Setting): readonly string[] {
  if (group === undefined) return [key];
  return Object.keys(table).filter((name) => table[name]?.group === group);
}

/** "handshake-timeout" → "EDGESOCKS_HANDSHAKE_TIMEOUT". */
export function variableOf(key: string): string {
  return `EDGESOCKS_${key.toUpperCase().replaceAll("-", "_")}`;
}
