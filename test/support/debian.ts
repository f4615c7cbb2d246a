import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { findProgram } from "./program.ts";

/** Asked by Debian's packages before they start a service; 101 forbids it. */
const POLICY = "/usr/sbin/policy-rc.d";

/** The installed version of a Debian package; undefined when it is not installed. */
export function debianVersion(name: string): string | undefined {
  if (findProgram("dpkg-query") === undefined) return undefined;
  const format = "${db:Status-Status} ${Version}";
  const { stdout } = spawnSync("dpkg-query", ["-W", "-f", format, name], { encoding: "utf8" });
  const [status, version] = stdout.split(" ");
  return status === "installed" ? version : undefined;
}

/** Installs what is missing of these packages when it may; otherwise says what is missing. */
export function installMissing(packages: readonly string[]): void {
  const names = [...new Set(packages)];
  const missing = names.filter((name) => debianVersion(name) === undefined);
  if (missing.length === 0) return;
  const aptGet = findProgram("apt-get");
  if (process.getuid?.() !== 0 || aptGet === undefined) {
    say(`Some tests skip: only root on Debian could install ${missing.join(", ")}`);
    return;
  }
  say(`Installing ${missing.join(", ")}`);
  // tor, vsftpd and sshd are wanted as programs, not as services of this machine.
  const isPolicyMine = !existsSync(POLICY);
  if (isPolicyMine) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    run(aptGet, ["update"]);
    // One by one when not all at once: one that a mirror lacks is no reason to miss the others.
    if (!install(aptGet, missing)) for (const name of missing) install(aptGet, [name]);
  } finally {
    if (isPolicyMine) rmSync(POLICY);
  }
}

const install = (aptGet: string, names: readonly string[]): boolean =>
  run(aptGet, ["install", "-y", "--no-install-recommends", ...names]);

function run(program: string, args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status, stderr } = spawnSync(program, ["-qq", ...args], { env, encoding: "utf8" });
  if (status !== 0) say(`${program} ${args.join(" ")} failed: ${stderr.trim()}`);
  return status === 0;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
