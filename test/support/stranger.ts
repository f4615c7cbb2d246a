import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { upgradeRequest } from "./raw-http.ts";

/**
 * Somebody who knocks at an edge, again and again, over one connection for as long as the edge
 * keeps that. Every answer is whole, to the byte, less the Date, which nobody chooses.
 */
export class Stranger {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = "";

  constructor(port: number) {
    this.#port = port;
  }

  /** What is answered to an Upgrade request for `path` with this token. */
  async knock(path: string, token: string | undefined): Promise<string> {
    const socket = await this.#connected();
    socket.write(upgradeRequest(path, token));
    let length: number | undefined;
    while (length === undefined || this.#received.length < length) {
      length ??= lengthOfAnswer(this.#received);
      if (length !== undefined && this.#received.length >= length) break;
      const waiting = new AbortController();
      const event = (name: string): Promise<unknown> =>
        once(socket, name, { signal: waiting.signal }).catch(() => {});
      if (socket.destroyed || socket.readableEnded) throw new Error("The edge said nothing");
      await Promise.race([event("data"), event("close")]);
      waiting.abort();
    }
    const answer = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    if (/^connection: close\r$/im.test(answer) || answer.startsWith("HTTP/1.1 101")) this.leave();
    return answer.replace(/^Date: [^\r]*\r\n/im, "");
  }

  leave(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#received = "";
  }

  async #connected(): Promise<Socket> {
    if (this.#socket && !this.#socket.destroyed) return this.#socket;
    const socket = connect(this.#port, "127.0.0.1");
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => (this.#received += chunk));
    socket.on("error", () => {});
    await once(socket, "connect");
    this.#socket = socket;
    return socket;
  }
}

/** How long the answer is, head and body; undefined while its head is not complete. */
function lengthOfAnswer(text: string): number | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const head = text.slice(0, end + 4);
  if (head.startsWith("HTTP/1.1 101")) return head.length;
  const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
  if (length === undefined)
    throw new Error(`The edge does not say how long its answer is: ${head}`);
  return head.length + Number(length);
}
