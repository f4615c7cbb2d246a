import { once } from "node:events";
import * as v from "valibot";
import { SERVICE } from "../../edge-worker/node/workerd-config.ts";
import type { RunningCommand } from "./command.ts";
import { until } from "./linux-process.ts";

/** What an edge has, as its V8 says itself, after a collection. */
export interface Holdings {
  /** Bytes of V8's heap and of buffers outside of it. */
  readonly bytes: number;
  /** How many objects there are of some kinds, and of what keeps a Node process alive. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Lets a Node process be asked, on any port of loopback, and the workerd that it starts. */
export const inspectorEnvironment = { NODE_OPTIONS: "--inspect=127.0.0.1:0" };

/** workerd answers some calls without a result. */
const ANSWER = v.object({
  id: v.number(),
  result: v.optional(v.looseObject({})),
  error: v.optional(v.object({ message: v.string() })),
});
const CHUNK = v.object({
  method: v.literal("HeapProfiler.addHeapSnapshotChunk"),
  params: v.object({ chunk: v.string() }),
});
const USAGE = v.object({ usedSize: v.number(), backingStorageSize: v.number() });
/** Of V8's snapshots: numbers, so many for each object, the first of them say what it is called. */
const SNAPSHOT = v.object({
  snapshot: v.object({
    meta: v.object({
      node_fields: v.array(v.string()),
      node_types: v.tupleWithRest([v.array(v.string())], v.unknown()),
    }),
  }),
  nodes: v.array(v.number()),
  strings: v.array(v.string()),
});
const RESOURCES = v.object({ result: v.object({ value: v.array(v.string()) }) });

/** The inspector that an edge tells of on stderr: that of its workerd, if it runs one. */
export async function inspectorOf(
  edge: RunningCommand,
  runtime: "node" | "workerd",
): Promise<string> {
  const word = runtime === "node" ? "Debugger" : "inspector";
  const told = new RegExp(`${word} listening on (ws:[^\\s"]+)`);
  await until(() => told.test(edge.errors()));
  return told.exec(edge.errors())?.[1] ?? "";
}

/** Collects what is garbage, then counts; objects by the names of their classes, which must be ours alone. */
export async function holdingsOf(inspector: string, classes: readonly string[]): Promise<Holdings> {
  const session = await openInspector(inspector);
  const counts = new Map(classes.map((name) => [name, 0]));
  if (new URL(inspector).pathname !== `/${SERVICE}`) {
    const params = { expression: "process.getActiveResourcesInfo()", returnByValue: true };
    const { result } = v.parse(RESOURCES, await session.call("Runtime.evaluate", params));
    for (const kind of result.value) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  // V8 collects before it takes one. workerd does not answer when it is asked to collect.
  await session.call("HeapProfiler.takeHeapSnapshot");
  const usage = v.parse(USAGE, await session.call("Runtime.getHeapUsage"));
  for (const name of objectsIn(session.takeChunks())) {
    const count = counts.get(name);
    if (count !== undefined) counts.set(name, count + 1);
  }
  await session.close();
  const bytes = usage.usedSize + usage.backingStorageSize;
  return { bytes, counts: Object.fromEntries(counts) };
}

/** The Chrome DevTools Protocol, as far as it is needed here. */
async function openInspector(url: string) {
  const socket = new WebSocket(url);
  const closed = once(socket, "close");
  const lost = closed.then(() => {
    throw new Error(`${url} has closed`);
  });
  // Of a call that waits, and of nobody else.
  lost.catch(() => {});
  await Promise.race([once(socket, "open"), lost]);
  const calls = new Map<number, PromiseWithResolvers<unknown>>();
  let callCount = 0;
  let chunks: string[] = [];
  socket.addEventListener("message", ({ data }) => {
    const message: unknown = JSON.parse(String(data));
    if (v.is(CHUNK, message)) chunks.push(message.params.chunk);
    if (!v.is(ANSWER, message)) return;
    const call = calls.get(message.id);
    calls.delete(message.id);
    if (message.error) call?.reject(new Error(`${url}: ${message.error.message}`));
    else call?.resolve(message.result);
  });
  return {
    call: (method: string, params = {}): Promise<unknown> => {
      const answer = Promise.withResolvers<unknown>();
      const id = ++callCount;
      calls.set(id, answer);
      socket.send(JSON.stringify({ id, method, params }));
      return Promise.race([answer.promise, lost]);
    },
    takeChunks: (): string => {
      const text = chunks.join("");
      chunks = [];
      return text;
    },
    close: async (): Promise<void> => {
      socket.close();
      await closed;
    },
  };
}

/** The class of each object in a heap snapshot. */
function* objectsIn(text: string): Generator<string> {
  const { snapshot, nodes, strings } = v.parse(SNAPSHOT, JSON.parse(text));
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [atType, atName] = [fields.indexOf("type"), fields.indexOf("name")];
  const object = types[0].indexOf("object");
  for (let at = 0; at < nodes.length; at += fields.length) {
    if (nodes[at + atType] === object) yield strings[nodes[at + atName] ?? 0] ?? "";
  }
}
