import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type SettingsTable, variableOf } from "../../cli/settings.ts";
import { tables } from "../../cli/tables.ts";
import { findProgram } from "../support/program.ts";
import { tempFolder } from "../support/temp-folder.ts";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "packaging/systemd");
const commands: Readonly<Record<string, SettingsTable>> = tables;
const units = readdirSync(folder);

/** systemd's measure of 0 (shut in) to 10; what is left is what a network service on V8 needs. */
const MAX_EXPOSURE = 1.6;

const missing =
  findProgram("systemd-analyze") === undefined
    ? "Skipping systemd-analyze: it is not installed (apt-get install systemd)"
    : undefined;
if (missing !== undefined) process.stderr.write(`${missing}\n`);

/** The assignments of a unit, in order; a name may be there several times. */
function assignmentsOf(unit: string): readonly (readonly [string, string])[] {
  const lines = readFileSync(join(folder, unit), "utf8").matchAll(/^([A-Za-z]+)=(.*)$/gm);
  return Array.from(lines, ([, name = "", value = ""]) => [name, value] as const);
}

const valuesOf = (unit: string, name: string): string[] =>
  assignmentsOf(unit).flatMap(([key, value]) => (key === name ? [value] : []));

/** A copy that starts this checkout, as systemd-analyze wants a program that is there. */
function installed(unit: string): string {
  const text = readFileSync(join(folder, unit), "utf8");
  const command = join(root, "bin/edgesocks.js");
  return join(
    tempFolder({ [unit]: text.replace("ExecStart=edgesocks ", `ExecStart=${command} `) }),
    unit,
  );
}

function analyze(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
  return { status, text: `${stdout}${stderr}` };
}

it("there is a unit for the edge and one for the agent", () => {
  expect(units.toSorted()).toEqual(["edgesocks-agent.service", "edgesocks-edge.service"]);
});

describe.each(units)("%s", (unit) => {
  const [, command = ""] = /^edgesocks-(\w+)\.service$/.exec(unit) ?? [];

  it.skipIf(missing !== undefined)("is taken by systemd-analyze verify without a word", () => {
    expect(analyze("verify", "--man=no", installed(unit))).toEqual({ status: 0, text: "" });
  });

  it.skipIf(missing !== undefined)(`is exposed no more than ${MAX_EXPOSURE}`, () => {
    const { text } = analyze("security", "--offline=true", "--no-pager", installed(unit));
    const level = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    process.stderr.write(`systemd-analyze security ${unit}: ${level}\n`);
    expect(level).toBeLessThanOrEqual(MAX_EXPOSURE);
  });

  it("starts a command that exists, and sets what it has", () => {
    expect(valuesOf(unit, "ExecStart")).toEqual([
      `edgesocks ${command} --config /etc/edgesocks/${command}.toml`,
    ]);
    const known = Object.keys(commands[command] ?? {}).map(variableOf);
    const set = valuesOf(unit, "Environment").map((text) => text.split("=")[0]);
    expect(set).toContain("EDGESOCKS_DRAIN_TIMEOUT");
    expect(set.filter((name) => !known.includes(name ?? ""))).toEqual([]);
  });

  it("gives the drain its time before it kills", () => {
    const drain = valuesOf(unit, "Environment").find((text) => text.includes("DRAIN_TIMEOUT"));
    const seconds = Number(drain?.split("=")[1]);
    expect(seconds).toBe(30);
    // workerd may take a second more, and the end itself some.
    expect(Number(valuesOf(unit, "TimeoutStopSec")[0])).toBeGreaterThanOrEqual(seconds + 5);
    // SIGTERM goes to the command alone, which ends workerd when its agents have left.
    expect(valuesOf(unit, "KillMode")).toEqual(["mixed"]);
  });

  it.each([
    ["DynamicUser", "yes"],
    ["ProtectSystem", "strict"],
    ["NoNewPrivileges", "yes"],
    ["RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"],
    ["SystemCallErrorNumber", "EPERM"],
    ["LoadCredential", "secret:/etc/edgesocks/secret"],
    ["LimitNOFILE", "65536"],
    ["RestartPreventExitStatus", "2"],
  ])("says %s=%s", (name, value) => expect(valuesOf(unit, name)).toEqual([value]));

  it("bounds its memory, and takes the secret from the credential", () => {
    expect(valuesOf(unit, "MemoryMax")[0]).toMatch(/^\dG$/);
    expect(valuesOf(unit, "Environment")).toContain("EDGESOCKS_SECRET_FILE=%d/secret");
  });
});

it("the edge's unit reloads by SIGHUP, which the agent does not know", () => {
  expect(valuesOf("edgesocks-edge.service", "ExecReload")).toEqual(["kill -HUP $MAINPID"]);
  expect(valuesOf("edgesocks-agent.service", "ExecReload")).toEqual([]);
});
