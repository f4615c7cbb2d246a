import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { DRAIN_HEADER } from "../../edge-worker/replacement.ts";
import { type Admission, placeOf } from "../../protocol/admission.ts";
import { newUpgrade } from "../../protocol/node/ws-handshake.ts";

/** What the answer may take beyond the time that agents have. */
const ANSWER_MS = 10_000;

/**
 * Has an edge at Cloudflare ask the agents of our key to leave it, and take nobody for a while after:
 * a new version is about to take its place. Resolves once they have, or `drainMs` have passed, with how many
 * had not.
 *
 * @throws Error when nothing is there, or nothing that knows of this
 */
export async function drainEdge(
  edge: URL,
  admission: Admission,
  drainMs: number,
  signal: AbortSignal,
): Promise<number> {
  const token = await admission.issue(placeOf(edge), Date.now());
  const request = (edge.protocol === "wss:" ? httpsRequest : httpRequest)({
    ...hostOf(edge),
    path: edge.pathname + edge.search,
    // As for a carrier: to whoever has no key an edge answers nothing else.
    headers: {
      ...newUpgrade().headers,
      authorization: `Bearer ${token}`,
      [DRAIN_HEADER]: `${drainMs}`,
    },
    signal: AbortSignal.any([signal, AbortSignal.timeout(drainMs + ANSWER_MS)]),
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once("error", reject);
    request.once("response", resolve);
    request.once("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new Error("the version that is there knows nothing of it"));
    });
    request.end();
  });
  const answer = await text(response);
  if (response.statusCode !== 200 || !/^\d{1,9}$/.test(answer)) {
    throw new Error(`it answered ${response.statusCode}`);
  }
  return Number(answer);
}

function hostOf({ hostname, port }: URL) {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return port === "" ? { host } : { host, port };
}
