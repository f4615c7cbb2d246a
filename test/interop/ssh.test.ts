import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { sshArguments, startSshd } from "../support/sshd.ts";
import { closedPort } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient } from "./describe-client.ts";

const BODY = randomBytes(3_000_000);

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

function ssh(folder: string, proxy: string, host: string, port: number): Promise<Outcome> {
  return runProgram("ssh", [...sshArguments(folder, proxy, port), host, "cat"], { input: BODY });
}
