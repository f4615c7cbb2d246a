import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Servers that take one connection each from the port, as inetd starts them. */
export interface Inetd {
  readonly port: number;
  /** What the servers have written to stderr. */
  readonly errors: () => string;
  close(): Promise<void>;
}

/**
 * Runs `program` with each connection as its stdin and stdout. Nobody has to wait until a server
 * listens, nor to find it a free port.
 */
export async function startInetd(program: string, args: readonly string[]): Promise<Inetd> {
  const children = new Set<ChildProcess>();
  let errors = "";
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn(program, args, { stdio: [socket, socket, "pipe"] });
    children.add(child);
    child.on("exit", () => children.delete(child));
    child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    // The child has its own copy of the descriptor.
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    errors: () => errors,
    close: async () => {
      server.close();
      const exits = Array.from(children, (child) => once(child, "exit"));
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(exits);
    },
  };
}
