import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** A program that is not part of the project, and the Debian package that brings it. */
export type Program = Readonly<{ command: string; debianPackage: string }>;

/** Where the program is, or undefined where it is not installed. */
export function findProgram({ command }: Program): string | undefined {
  // sshd stands in a folder that only root has in its PATH.
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, command)).find(isExecutable);
}

/** Where the program is; an error that names its package where it is not installed. */
export function requireProgram(program: Program): string {
  const path = findProgram(program);
  if (path === undefined) throw new Error(`Cannot find ${explainMissing(program)}`);
  return path;
}

/** What to tell somebody who lacks one of the programs; undefined when all of them are here. */
export function missingProgram(programs: readonly Program[]): string | undefined {
  const missing = programs.find((program) => findProgram(program) === undefined);
  return missing && explainMissing(missing);
}

/** The version of the Debian package that the program came in. */
export function packageVersion({ debianPackage }: Program): string {
  return output("dpkg-query", ["-W", "-f", "${Version}", debianPackage]) ?? "unknown";
}

/** The first line that a program prints, on whichever output; undefined if it cannot be run. */
export function firstLine(command: string, args: readonly string[]): string | undefined {
  return output(command, args)?.split("\n")[0];
}

function explainMissing({ command, debianPackage }: Program): string {
  return `${command}, which apt-get install ${debianPackage} brings`;
}

function output(command: string, args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? (stdout || stderr).trim() : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
