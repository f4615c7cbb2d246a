import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A client that sends exactly what the test says, and keeps what it is told. */
export class RawClient {
  readonly socket: Socket;
  #received = "";
  readonly #ended = Promise.withResolvers<"FIN" | "RST">();
  #waiting: { readonly text: string; readonly resolve: () => void } | undefined;

  constructor(port: number) {
    const options = { host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true };
    this.socket = connect(options);
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => {
      this.#received += chunk;
      if (this.#waiting && this.#received.includes(this.#waiting.text)) this.#waiting.resolve();
    });
    this.socket.on("end", () => this.#ended.resolve("FIN"));
    this.socket.on("error", () => this.#ended.resolve("RST"));
    onTestFinished(() => void this.socket.destroy());
  }

  /** All that came so far. */
  get received(): string {
    return this.#received;
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  /** One TCP segment for each byte, as far as that can be asked for. */
  async sendSlowly(text: string): Promise<void> {
    for (const char of text) {
      await new Promise((resolve) => this.socket.write(char, "latin1", resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits for a text, then forgets all up to its end. */
  async until(text: string): Promise<string> {
    if (!this.#received.includes(text)) {
      const come = new Promise<void>((resolve) => (this.#waiting = { text, resolve }));
      const ended = this.#ended.promise.then((how) => {
        if (!this.#received.includes(text)) {
          throw new Error(`${how} instead of ${JSON.stringify(text)}: ${this.#received}`);
        }
      });
      await Promise.race([come, ended]);
    }
    const end = this.#received.indexOf(text) + text.length;
    const head = this.#received.slice(0, end);
    this.#received = this.#received.slice(end);
    return head;
  }

  /** How the far side ended the connection; closes ours as well. */
  async end(): Promise<"FIN" | "RST"> {
    const how = await this.#ended.promise;
    this.socket.end();
    return how;
  }

  /** Resolves when the socket is gone. */
  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, "close");
  }
}
