import { LOOPBACK_TOPICS } from "../measure/topics.ts";
import { freePort } from "../ports.ts";
import { missingProgram, packageVersion, requireProgram } from "../programs.ts";
import type { Subject } from "./subject.ts";

const MICROSOCKS = { command: "microsocks", debianPackage: "microsocks" };

/** A small SOCKS5 server in C, one thread a session and no tunnel: what a plain proxy costs. */
export const microsocks: Subject = {
  name: "microsocks",
  about: "a SOCKS5 server without a tunnel",
  topics: [...LOOPBACK_TOPICS, "still"],
  missing: () => missingProgram([MICROSOCKS]),
  version: () => packageVersion(MICROSOCKS),
  async start(workshop) {
    const proxyPort = await freePort();
    const args = ["-i", "127.0.0.1", "-p", `${proxyPort}`];
    const proxy = workshop.start("microsocks", requireProgram(MICROSOCKS), args);
    await workshop.untilListening(proxy, proxyPort);
    return { proxyPort, clientPids: [proxy.pid], serverPids: [] };
  },
};
