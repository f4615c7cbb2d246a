import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import * as v from "valibot";
import { ConfigError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import { formatEndpoint, type ListenEndpoint } from "../../protocol/node/listening.ts";
import { SERVICE, socketName } from "./workerd-config.ts";

/** A workerd that was spawned. */
export interface WorkerdProcess {
  readonly child: ChildProcess;
  /** Where it listens, once it does everywhere. Rejects with a ConfigError when it ends before. */
  readonly listening: Promise<readonly ListenEndpoint[]>;
  /** Resolves when it has ended, with how that was. */
  readonly exited: Promise<string>;
}

/** Where workerd reports the ports it listens on. */
export const CONTROL_FD = 3;
/** Any port of loopback for who inspects the Worker. */
export const INSPECTOR_ARGS = ["--inspector-addr=127.0.0.1:0"];

const REPORT = v.pipe(
  v.string(),
  v.parseJson(),
  v.variant("event", [
    v.object({ event: v.literal("listen"), socket: v.string(), port: v.number() }),
    v.object({ event: v.literal("listen-inspector"), port: v.number() }),
  ]),
);

/** Follows what workerd tells. Its output goes to our log; the last line tells why it failed. */
export function watchWorkerd(
  child: ChildProcess,
  wanted: readonly ListenEndpoint[],
  log: Log,
): WorkerdProcess {
  let lastLine = "";
  for (const output of [child.stdout, child.stderr]) {
    if (!output) continue;
    createInterface({ input: output }).on("line", (line) => {
      lastLine = line;
      log.info(`workerd: ${line}`);
    });
  }
  // "close" comes when its output has ended, too: by then the last line is known.
  const exited = once(child, "close").then(([code, signal]: (number | string | null)[]) =>
    signal === null ? `exit code ${code}` : `${signal}`,
  );
  const failed = exited.then((how) => {
    throw startError(lastLine, how, wanted);
  });
  const ports = Promise.withResolvers<ReadonlyMap<string, number>>();
  createInterface({ input: child.stdio[CONTROL_FD] as Readable }).on(
    "line",
    createReportReader(wanted.length, ports.resolve, log),
  );
  const listening = Promise.race([ports.promise, failed]).then((by) =>
    wanted.map((endpoint, index) => withPort(endpoint, by.get(socketName(index)))),
  );
  // From here on an exit is either asked for or told by `exited`.
  failed.catch(() => {});
  return { child, listening, exited };
}

/** Reads what comes on the control channel, a line each: the ports of `count` sockets, the inspector's. */
function createReportReader(
  count: number,
  allListen: (portOf: ReadonlyMap<string, number>) => void,
  log: Log,
): (line: string) => void {
  const portOf = new Map<string, number>();
  return (line) => {
    const { success, output } = v.safeParse(REPORT, line);
    if (!success) return;
    if (output.event === "listen-inspector") {
      log.info(`workerd: inspector listening on ws://127.0.0.1:${output.port}/${SERVICE}`);
      return;
    }
    portOf.set(output.socket, output.port);
    if (portOf.size === count) allListen(portOf);
  };
}

/** Of a Unix socket there is no port to tell. */
function withPort(endpoint: ListenEndpoint, port: number | undefined): ListenEndpoint {
  return "path" in endpoint || port === undefined ? endpoint : { ...endpoint, port };
}

/** Why it did not start, from the last thing it said. It does not say which of its sockets failed. */
function startError(lastLine: string, how: string, wanted: readonly ListenEndpoint[]): ConfigError {
  if (lastLine.includes("Address already in use")) {
    const where = wanted.map(formatEndpoint).join(" or ");
    return new ConfigError(`Cannot listen on ${where}: the port is in use`);
  }
  return new ConfigError(`Cannot start workerd: ${lastLine === "" ? how : lastLine}`);
}
