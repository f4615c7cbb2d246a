import { serveEdge } from "../../edge-worker/node/serve.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import type { StartEdge } from "../contract/edge.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";

/** The edges that can resume sessions: the stateless Worker says in HELLO that it cannot. */
export const edges = {
  Node: (options) => serveEdge({ ...edgeDoor, log: recordedLog(), ...options }),
  workerd: (options) =>
    serveWorkerdEdge({ ...edgeDoor, bridge: "durable", log: recordedLog(), ...options }),
} as const satisfies Readonly<Record<string, StartEdge>>;

export type EdgeName = keyof typeof edges;
export const edgeNames: readonly EdgeName[] = ["Node", "workerd"];

/** Who the agents of these tests are. */
export const keyId = "chaos";
export const secret = "a secret that is long enough";
export const access = { keys: [{ id: keyId, secret }], rules: [] };
