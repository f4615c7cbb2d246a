import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * A loopback listener whose backlog is full, so that a further SYN gets no answer: the only black
 * hole that needs no address outside this machine.
 */
export interface SilentTarget {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens with the smallest backlog and then never runs its event loop again. */
const PROGRAM = `
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, server.address().port + "\\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;
/** More connections than a backlog of 1 takes on any kernel we know. */
const FILLERS = 8;

export async function startSilentTarget(): Promise<SilentTarget> {
  const child: ChildProcess = spawn(process.execPath, ["-e", PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!child.stdout) throw new Error("The child has no stdout");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(line.toString());
  const fillers: Socket[] = [];
  for (let i = 0; i < FILLERS; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    fillers.push(socket);
  }
  // The first two complete; once one is connected the kernel has taken what it will.
  await once(fillers[0] as Socket, "connect");
  return {
    port,
    close: async () => {
      for (const socket of fillers) socket.destroy();
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
