import { reverse } from "node:dns/promises";
import { expect } from "vitest";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { clients } from "./clients.ts";
import { describeClient } from "./describe-client.ts";

describeClient(clients.torResolve, ["node", "workerd"], ({ port, check }) => {
  const torResolve = (...args: string[]): Promise<Outcome> =>
    runProgram("tor-resolve", ["-p", String(port()), ...args, "127.0.0.1"]);

  check("RESOLVE", "a name by SOCKS5 and by SOCKS4a", async () => {
    for (const version of ["-5", "-4"]) {
      const { code, stdout, stderr } = await torResolve(version, "localhost");
      expect(code, stderr).toBe(0);
      expect(stdout.toString()).toBe("127.0.0.1\n");
    }
  });

  check("RESOLVE", "an address to a name, by -x", async () => {
    const { code, stdout, stderr } = await torResolve("-x", "127.0.0.1");
    expect(code, stderr).toBe(0);
    expect(await reverse("127.0.0.1")).toContain(stdout.toString().trim());
  });

  check("failures", "no such name is 4", async () => {
    const { code, stderr } = await torResolve("-5", "missing.invalid");
    expect(code).toBe(1);
    expect(stderr).toContain("SOCKS5 status response '4'");
  });
});
