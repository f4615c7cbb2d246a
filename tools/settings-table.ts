import { type Setting, type SettingsTable, variableOf } from "../cli/settings.ts";
import { tables } from "../cli/tables.ts";

/** The settings of every command as Markdown, as they stand in the README. */
export function formatSettings(): string {
  return Object.entries(tables).map(formatCommand).join("\n\n");
}

function formatCommand([command, table]: readonly [string, SettingsTable]): string {
  const rows = Object.entries(table).map(([key, setting]) => formatRow(key, setting));
  return [
    `### Settings of \`edgesocks ${command}\``,
    "",
    "| flag | variable | default | meaning |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/** A default that depends on something is told by the --help text, as it is no value. */
const HELP_WITH_DEFAULT = /^(.*) \(default: (.*)\)$/;

function formatRow(key: string, setting: Setting): string {
  const { help, fallback, value, isSecret, isStructured, isFlagOnly } = setting;
  const [, text = help, told = "none"] = HELP_WITH_DEFAULT.exec(help) ?? [];
  const variable = isFlagOnly ? "no variable" : `\`${variableOf(key)}\``;
  const flag =
    isSecret || isStructured
      ? "no flag"
      : `\`--${key}${value === undefined ? "" : ` <${value}>`}\``;
  const written = typeof fallback === "string" ? fallback : JSON.stringify(fallback);
  const shown = fallback === undefined ? told : `\`${written}\``;
  return `| ${[flag, variable, shown, text].join(" | ")} |`;
}

if (import.meta.main) console.log(formatSettings());
