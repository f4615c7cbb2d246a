import { type ClientRequest, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { carrierRefusal } from "../carrier-refusal.ts";
import { CarrierError } from "../errors.ts";
import type { ReadMemory } from "./read-memory.ts";
import { SocketReader } from "./socket-reader.ts";
import { flawOfAnswer, newUpgrade } from "./ws-handshake.ts";

/** How long a server may take, from the first packet to its 101. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Opens a WebSocket at `url` (ws: or wss:) and gives its socket, paused behind the 101. `memory` is
 * where it reads into.
 *
 * @throws CarrierError; the socket is gone then
 */
export async function openWebSocket(
  url: URL,
  authorization: string,
  memory: ReadMemory,
  signal: AbortSignal,
): Promise<SocketReader> {
  const upgrade = newUpgrade();
  const reading = openSocket(url, memory);
  const request = (url.protocol === "wss:" ? httpsRequest : httpRequest)({
    ...placeOf(url),
    path: url.pathname + url.search,
    headers: { ...upgrade.headers, Authorization: authorization },
    createConnection: () => reading.socket,
  });
  const cancel = (): void => void request.destroy(new Error("The dial was given up"));
  signal.addEventListener("abort", cancel);
  const timer = setTimeout(() => {
    request.destroy(new Error(`No answer within ${HANDSHAKE_TIMEOUT_MS / 1000} s`));
  }, HANDSHAKE_TIMEOUT_MS);
  try {
    await answered(request, reading, upgrade.key);
    return reading;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
  }
}

function openSocket(url: URL, memory: ReadMemory): SocketReader {
  const { host, port } = placeOf(url);
  const reading = new SocketReader(memory, (onread) => {
    const options = { host, port, onread };
    if (url.protocol !== "wss:") return connect(options);
    return connectTls({ ...options, servername: isIP(host) === 0 ? host : "" });
  });
  reading.socket.setNoDelay(true);
  // Stays for good: until the carrier listens, an error must not be without a listener.
  reading.socket.on("error", () => {});
  return reading;
}

function placeOf({ protocol, hostname, port }: URL) {
  const defaultPort = protocol === "wss:" ? 443 : 80;
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: port === "" ? defaultPort : Number(port), defaultPort };
}

/** Resolves once the server has said 101. @throws CarrierError */
async function answered(
  request: ClientRequest,
  { socket }: SocketReader,
  key: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    request.on("error", (cause) => {
      reject(new CarrierError("ERR_CARRIER_LOST", cause.message, { cause }));
    });
    request.once("upgrade", ({ headers }, _socket, head) => {
      // Nothing may be lost until there is a carrier.
      socket.pause();
      if (head.length > 0) socket.unshift(head);
      const flaw = flawOfAnswer(headers, key);
      if (flaw === undefined) return resolve();
      socket.destroy();
      reject(new CarrierError("ERR_CARRIER_LOST", `it answered 101, but ${flaw}`));
    });
    request.once("response", ({ statusCode }) => {
      request.destroy();
      reject(carrierRefusal(statusCode ?? 0));
    });
    request.end();
  });
}
