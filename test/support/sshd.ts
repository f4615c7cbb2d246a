import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { type Inetd, startInetd } from "./inetd.ts";
import { runProgram } from "./run-program.ts";

/** Where sshd parts with its rights; Debian's service makes it before it starts one. */
const PRIVILEGE_SEPARATION = "/run/sshd";

/** One sshd for each connection, with keys of its own, that lets this user in by key. */
export async function startSshd(folder: string): Promise<Inetd> {
  for (const name of ["host", "user"]) {
    const key = ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)];
    expect((await runProgram("ssh-keygen", key)).code).toBe(0);
  }
  if (userInfo().uid === 0 && !existsSync(PRIVILEGE_SEPARATION)) {
    mkdirSync(PRIVILEGE_SEPARATION, { mode: 0o755 });
    onTestFinished(() => rmdirSync(PRIVILEGE_SEPARATION));
  }
  const settings = {
    HostKey: join(folder, "host"),
    AuthorizedKeysFile: join(folder, "user.pub"),
    StrictModes: "no",
    PasswordAuthentication: "no",
    UsePAM: "no",
    PidFile: "none",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const inetd = await startInetd("/usr/sbin/sshd", ["-i", "-e", "-f", "/dev/null", ...options]);
  onTestFinished(() => inetd.close());
  return inetd;
}

/** What ssh is told to log in there through a proxy command; destination and command follow. */
export function sshArguments(folder: string, proxy: string, port: number): string[] {
  const [type = "", key = ""] = readFileSync(join(folder, "host.pub"), "utf8").split(" ");
  const known = join(folder, "known_hosts");
  const settings = {
    ProxyCommand: proxy,
    BatchMode: "yes",
    IdentitiesOnly: "yes",
    IdentityFile: join(folder, "user"),
    // The key must be the one of our sshd: only then did the connection end where it should.
    KnownHostsCommand: `/bin/echo target ${type} ${key}`,
    HostKeyAlias: "target",
    UserKnownHostsFile: known,
    GlobalKnownHostsFile: known,
    LogLevel: "ERROR",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return ["-F", "/dev/null", ...options, "-p", String(port)];
}
