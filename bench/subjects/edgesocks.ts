import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { object, parse, string } from "valibot";
import { freePort } from "../ports.ts";
import { firstLine } from "../programs.ts";
import type { Subject } from "./subject.ts";

const ROOT = join(import.meta.dirname, "../..");
const COMMAND = join(ROOT, "bin/edgesocks.js");

/** The project itself, agent and edge in a process each, the edge on Node. */
export const edgesocksNode = edgesocks("edgesocks-node", "this project, the edge on Node", []);

/** The same with the edge as it is at Cloudflare. */
export const edgesocksWorkerd = edgesocks(
  "edgesocks-workerd",
  "this project, the edge on workerd",
  ["--runtime", "workerd"],
);

function edgesocks(name: string, about: string, edgeFlags: readonly string[]): Subject {
  return {
    name,
    about,
    missing: () => (existsSync(COMMAND) ? undefined : "bin/edgesocks.js, which is not built"),
    version,
    async start(workshop) {
      const [proxyPort, edgePort] = [await freePort(), await freePort()];
      const secret = { EDGESOCKS_SECRET: randomBytes(32).toString("base64url") };
      const listen = ["--listen", `127.0.0.1:${edgePort}`, "--allow-private"];
      const edgeArgs = [COMMAND, "edge", ...listen, ...edgeFlags];
      const edge = workshop.start("edge", process.execPath, edgeArgs, secret);
      await workshop.untilPrinted(edge, "ready ");

      const edgeUrl = `ws://127.0.0.1:${edgePort}/`;
      const agentArgs = ["agent", "--listen", `127.0.0.1:${proxyPort}`, "--edge", edgeUrl];
      const agent = workshop.start("agent", process.execPath, [COMMAND, ...agentArgs], secret);
      await workshop.untilPrinted(agent, "ready ");
      return { proxyPort, clientPids: [agent.pid], serverPids: [edge.pid] };
    },
  };
}

function version(): string {
  const schema = object({ version: string() });
  const manifest = parse(schema, JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
  const commit = firstLine("git", ["-C", ROOT, "describe", "--always", "--dirty"]);
  return commit === undefined ? manifest.version : `${manifest.version} (${commit})`;
}
