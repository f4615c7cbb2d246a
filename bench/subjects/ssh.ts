import { userInfo } from "node:os";
import { GROWTH_TOPICS, LINK_TOPICS, LOOPBACK_TOPICS } from "../measure/topics.ts";
import { freePort } from "../ports.ts";
import { firstLine, missingProgram, requireProgram } from "../programs.ts";
import type { Worker, Workshop } from "../workshop.ts";
import type { Subject } from "./subject.ts";

const SSHD = { command: "sshd", debianPackage: "openssh-server" };
const SSH = { command: "ssh", debianPackage: "openssh-client" };
const KEYGEN = { command: "ssh-keygen", debianPackage: "openssh-client" };

/** `ssh -D` to an sshd of its own, with keys of its own. */
export const ssh: Subject = {
  name: "ssh",
  about: "ssh -D to an sshd of its own",
  topics: [...LOOPBACK_TOPICS, "still", ...LINK_TOPICS, ...GROWTH_TOPICS],
  missing: () => missingProgram([SSHD, SSH, KEYGEN]),
  version: () => firstLine(SSH.command, ["-V"]) ?? "unknown",
  async start(workshop, reach) {
    const keygen = requireProgram(KEYGEN);
    for (const key of ["host-key", "user-key"]) {
      workshop.run(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", workshop.path(key)]);
    }
    const serverPort = await freePort();
    const server = startServer(workshop, serverPort);
    await workshop.untilListening(server, serverPort);

    const proxyPort = await freePort();
    const client = startClient(workshop, await reach(serverPort), proxyPort);
    await workshop.untilListening(client, proxyPort);
    return { proxyPort, clientPids: [client.pid], serverPids: [server.pid] };
  },
};

function startServer(workshop: Workshop, port: number): Worker {
  // Compiled into sshd, which insists on it when it runs as root.
  if (userInfo().uid === 0) workshop.borrowFolder("/run/sshd");
  const config = workshop.write(
    "sshd_config",
    formatOptions(" ", {
      ListenAddress: `127.0.0.1:${port}`,
      HostKey: workshop.path("host-key"),
      AuthorizedKeysFile: workshop.path("user-key.pub"),
      AllowUsers: userInfo().username,
      PermitRootLogin: "prohibit-password",
      PasswordAuthentication: "no",
      KbdInteractiveAuthentication: "no",
      UsePAM: "no",
      StrictModes: "no",
      UseDNS: "no",
      PidFile: "none",
      LogLevel: "ERROR",
    }).join("\n"),
  );
  // sshd starts itself anew for each connection and so wants its own absolute path.
  return workshop.start("sshd", requireProgram(SSHD), ["-D", "-e", "-f", config]);
}

function startClient(workshop: Workshop, serverPort: number, proxyPort: number): Worker {
  const options = formatOptions("=", {
    IdentityFile: workshop.path("user-key"),
    IdentitiesOnly: "yes",
    BatchMode: "yes",
    StrictHostKeyChecking: "no",
    UserKnownHostsFile: "/dev/null",
    GlobalKnownHostsFile: "/dev/null",
    ExitOnForwardFailure: "yes",
    LogLevel: "ERROR",
  }).flatMap((option) => ["-o", option]);
  const forward = ["-N", "-D", `127.0.0.1:${proxyPort}`];
  const target = ["-p", `${serverPort}`, `${userInfo().username}@127.0.0.1`];
  const args = ["-F", "none", ...options, ...forward, ...target];
  return workshop.start("ssh", requireProgram(SSH), args);
}

function formatOptions(separator: string, options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).map(([name, value]) => `${name}${separator}${value}`);
}
