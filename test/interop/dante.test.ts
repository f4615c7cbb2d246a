import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { startUdpTarget } from "../support/echo-target.ts";
import { startInetd } from "../support/inetd.ts";
import { type Outcome, type ProgramOptions, runProgram } from "../support/run-program.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { clients } from "./clients.ts";
import { type ClientSuite, describeClient } from "./describe-client.ts";

const DOWN = randomBytes(300_000);
const UP = randomBytes(400_000);
/** Its comment tells why. */
const WITHOUT_SENDMMSG = ["/usr/bin/python3", join(import.meta.dirname, "without-sendmmsg.py")];

describeClient(clients.dig, ["node"], ({ port, check, streamsOpened }) => {
  check(
    "UDP",
    "dig asks a name server, without sendmmsg(2), which Dante does not see",
    async () => {
      const before = await streamsOpened();
      const server = await startUdpTarget(answerToA);
      const query = ["@127.0.0.1", "-p", String(server), "target.example", "A"];
      const dig = ["dig", ...query, "+short", "+tries=1", "+timeout=10"];
      const { code, stdout, stderr } = await socksify(port(), dig, {}, WITHOUT_SENDMMSG);
      expect(code, stderr).toBe(0);
      expect(stdout.toString()).toBe("192.0.2.7\n");
      expect(await streamsOpened()).toBeGreaterThan(before);
    },
  );
});

describeClient(clients.drill, ["node"], ({ port, check, streamsOpened }) => {
  check("UDP", "drill asks a name server", async () => {
    const before = await streamsOpened();
    const server = await startUdpTarget(answerToA);
    const query = ["-Q", "-p", String(server), "@127.0.0.1", "target.example", "A"];
    const { code, stdout, stderr } = await socksify(port(), ["drill", ...query]);
    expect(code, stderr).toBe(0);
    expect(stdout.toString()).toBe("192.0.2.7\n");
    expect(await streamsOpened()).toBeGreaterThan(before);
  });
});

describeClient(clients.ftpCurl, ["node"], (suite) => {
  suite.check("BIND", "active mode: a file down and one up, the same byte for byte", async () => {
    await expectActiveFtp(suite, async (server, folder) => {
      const url = `ftp://127.0.0.1:${server}/pub`;
      const curl = ["curl", "--disable", "--silent", "--show-error", "--ftp-port", "-"];
      const down = ["--output", join(folder, "down"), `${url}/down.bin`];
      const up = ["--upload-file", join(folder, "up"), `${url}/up.bin`];
      const got = await socksify(suite.port(), [...curl, ...down]);
      expect(got.code, got.stderr).toBe(0);
      const put = await socksify(suite.port(), [...curl, ...up]);
      expect(put.code, put.stderr).toBe(0);
    });
  });
});

describeClient(clients.tnftp, ["node"], (suite) => {
  suite.check("BIND", "active mode: a file down and one up, the same byte for byte", async () => {
    await expectActiveFtp(suite, async (server, folder) => {
      const commands = [
        "user anonymous x",
        "binary",
        "cd pub",
        "get down.bin down",
        "put up up.bin",
      ];
      const input = [`open 127.0.0.1 ${server}`, ...commands, "quit", ""].join("\n");
      const options = { input, cwd: folder, env: { HOME: folder } };
      const { stdout, stderr } = await socksify(suite.port(), ["tnftp", "-A", "-n", "-v"], options);
      // tnftp ends with 0 whatever happened.
      const talk = stdout.toString() + stderr;
      expect(talk.match(/226 Transfer complete/g), talk).toHaveLength(2);
    });
  });
});

/** Lets `transfer` exchange two files with vsftpd, and asks whether the proxy carried the data. */
async function expectActiveFtp(
  { streamsOpened }: ClientSuite,
  transfer: (server: number, folder: string) => Promise<void>,
): Promise<void> {
  const folder = tempFolder({ up: "" });
  writeFileSync(join(folder, "up"), UP);
  const root = makeFtpRoot(folder);
  const before = await streamsOpened();
  await transfer(await startFtpServer(folder, root), folder);
  expect(DOWN.equals(readFileSync(join(folder, "down")))).toBe(true);
  expect(UP.equals(readFileSync(join(root, "pub", "up.bin")))).toBe(true);
  // One for the commands at least, and one for each file.
  expect(await streamsOpened()).toBeGreaterThanOrEqual(before + 3);
}

/** vsftpd gives its right to write away, so the folder to write to is everybody's. */
function makeFtpRoot(folder: string): string {
  const root = join(folder, "root");
  const pub = join(root, "pub");
  mkdirSync(pub, { recursive: true });
  mkdirSync(join(folder, "empty"));
  writeFileSync(join(pub, "down.bin"), DOWN);
  for (const path of [folder, root]) chmodSync(path, 0o755);
  chmodSync(pub, 0o777);
  return root;
}

async function startFtpServer(folder: string, root: string): Promise<number> {
  const settings = {
    listen: "NO",
    listen_ipv6: "NO",
    anonymous_enable: "YES",
    local_enable: "NO",
    write_enable: "YES",
    anon_upload_enable: "YES",
    anon_root: root,
    no_anon_password: "YES",
    secure_chroot_dir: join(folder, "empty"),
    connect_from_port_20: "NO",
    // A data connection that the client opens would prove nothing of BIND.
    pasv_enable: "NO",
    seccomp_sandbox: "NO",
    xferlog_enable: "NO",
  };
  const file = join(folder, "vsftpd.conf");
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, lines.join(""));
  const inetd = await startInetd("/usr/sbin/vsftpd", [file]);
  onTestFinished(() => inetd.close());
  return inetd.port;
}

/** Runs a program whose sockets Dante's library sends through the proxy. */
function socksify(
  port: number,
  command: readonly string[],
  options: ProgramOptions = {},
  wrapper: readonly string[] = [],
): Promise<Outcome> {
  const configuration = `route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = ${port}
    protocol: tcp udp
    proxyprotocol: socks_v5
    method: none
    command: bind connect udpassociate bindreply udpreply
  }\n`;
  const folder = tempFolder({ "dante.conf": configuration });
  const env = {
    ...options.env,
    SOCKS_CONF: join(folder, "dante.conf"),
    // Otherwise Dante goes to this machine's own networks, loopback too, without the proxy.
    SOCKS_AUTOADD_LANROUTES: "no",
  };
  const [program = "", ...args] = [...wrapper, "socksify", ...command];
  return runProgram(program, args, { ...options, env });
}

/** The answer of a name server: 192.0.2.7 for every name (RFC 1035 section 4.1). */
function answerToA(query: Buffer): Uint8Array {
  let end = 12;
  while ((query[end] ?? 0) !== 0) end += (query[end] ?? 0) + 1;
  const question = query.subarray(12, end + 5);
  const header = [...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
  const record = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7];
  return Buffer.concat([Buffer.from(header), question, Buffer.from(record)]);
}
