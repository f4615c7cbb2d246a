import { once } from "node:events";

/** What a Node process has, as it says itself. */
export interface Holdings {
  /** Bytes of V8's heap and of buffers outside of it, after a collection. */
  readonly bytes: number;
  /** Kinds of timers, sockets and the like that keep the process alive, with their count. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Lets a Node process be asked, on any port of loopback. */
export const inspectorEnvironment = { NODE_OPTIONS: "--inspect=127.0.0.1:0" };

const ASK = `(() => {
  const { heapUsed, external } = process.memoryUsage();
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return JSON.stringify({ bytes: heapUsed + external, resources });
})()`;

/** The inspector that a process has told of on stderr. */
export function inspectorIn(said: string): string {
  const [, url] = /Debugger listening on (ws:\S+)/.exec(said) ?? [];
  if (url === undefined) throw new Error(`No inspector: ${said}`);
  return url;
}

/** Collects what is garbage, then asks. */
export async function holdingsOf(inspector: string): Promise<Holdings> {
  const socket = new WebSocket(inspector);
  await once(socket, "open");
  const call = async (id: number, method: string, params = {}): Promise<unknown> => {
    const answer = once(socket, "message") as Promise<[MessageEvent<string>]>;
    socket.send(JSON.stringify({ id, method, params }));
    const [{ data }] = await answer;
    return JSON.parse(data);
  };
  // What one collection lets go, the next finds: finalizers run in between.
  for (let id = 1; id <= 3; id++) await call(id, "HeapProfiler.collectGarbage");
  const told = await call(4, "Runtime.evaluate", { expression: ASK, returnByValue: true });
  socket.close();
  await once(socket, "close");
  return JSON.parse((told as { result: { result: { value: string } } }).result.result.value);
}
