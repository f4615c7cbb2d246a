import { lstat, rm, stat } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { ConfigError } from "../errors.ts";
import { listenOn } from "./http-server.ts";

/** An address and port to listen on; port 0 takes any free one. */
export interface TcpEndpoint {
  readonly host: string;
  readonly port: number;
}

/** A Unix socket to listen on, by the path of its file. */
export interface UnixEndpoint {
  readonly path: string;
}

export type ListenEndpoint = TcpEndpoint | UnixEndpoint;

/** Listens there, and gives where that is. @throws EADDRINUSE, EACCES ... */
export async function listenAt(server: Server, endpoint: ListenEndpoint): Promise<ListenEndpoint> {
  if ("path" in endpoint) {
    await prepareSocketPath(endpoint.path);
    await listenOnPath(server, endpoint.path);
    return endpoint;
  }
  return { host: endpoint.host, port: await listenOn(server, endpoint.host, endpoint.port) };
}

/** As a user writes it: HOST:PORT, an IPv6 host in brackets, or unix:PATH. */
export function formatEndpoint(endpoint: ListenEndpoint): string {
  if ("path" in endpoint) return `unix:${endpoint.path}`;
  const { host, port } = endpoint;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Makes room for a Unix socket that is about to be made.
 *
 * @throws ConfigError where its folder is missing, which the system would call a lack of rights
 */
export async function prepareSocketPath(path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw new ConfigError(`Cannot listen on unix:${path}: there is no such folder`);
  }
  await removeStaleSocket(path);
}

/** Removes the file of a Unix socket that nobody listens at, as a process that was killed leaves it. */
export async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isSocket() && !(await isAnswered(path))) await rm(path, { force: true });
}

/** Whether a server has the socket: only a refusal says that none does. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function listenOnPath(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
