import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { type Inetd, startInetd } from "../support/inetd.ts";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { closedPort } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient } from "./describe-client.ts";

const BODY = randomBytes(3_000_000);
/** Where sshd parts with its rights; Debian's service makes it before it starts one. */
const PRIVILEGE_SEPARATION = "/run/sshd";

const WAYS: readonly (readonly [Feature, string, string])[] = [
  ["SOCKS5", "5", "127.0.0.1"],
  ["SOCKS5, name", "5", "localhost"],
  ["SOCKS4", "4", "127.0.0.1"],
  ["HTTP CONNECT", "connect", "127.0.0.1"],
];

describeClient(clients.ssh, ["node", "workerd"], ({ port, check }) => {
  for (const [feature, protocol, host] of WAYS) {
    check(feature, `a login with nc -X ${protocol}, and 3 MB there and back`, async () => {
      const folder = tempFolder();
      const sshd = await startSshd(folder);
      const proxy = `nc -X ${protocol} -x 127.0.0.1:${port()} %h %p`;
      const { code, stdout, stderr } = await ssh(folder, proxy, host, sshd.port);
      expect(code, stderr + sshd.errors()).toBe(0);
      expect(BODY.equals(stdout)).toBe(true);
    });
  }

  check("failures", "nc ends with an error when the target refuses", async () => {
    for (const protocol of ["4", "5", "connect"]) {
      const proxy = ["-X", protocol, "-x", `127.0.0.1:${port()}`];
      const { code, stderr } = await runProgram("nc", [
        ...proxy,
        "127.0.0.1",
        String(await closedPort()),
      ]);
      expect({ protocol, code }).toEqual({ protocol, code: 1 });
      expect(stderr).toMatch(/Connection refused|rejected|502/);
    }
  });
});

/** One sshd for each connection, with keys of its own, that lets this user in by key. */
async function startSshd(folder: string): Promise<Inetd> {
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

function ssh(folder: string, proxy: string, host: string, port: number): Promise<Outcome> {
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
  const destination = ["-p", String(port), host];
  const args = ["-F", "/dev/null", ...options, ...destination, "cat"];
  return runProgram("ssh", args, { input: BODY });
}
