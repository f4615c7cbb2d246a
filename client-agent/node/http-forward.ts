import {
  type ClientRequest as UpstreamRequest,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from "node:http";
import type { Clock } from "../../protocol/clock.ts";
import { reasonOf, StreamError } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import { ChannelDuplex } from "../../protocol/node/channel-duplex.ts";
import { Command } from "../../protocol/wire.ts";
import type { Gateway } from "../listeners/gateway.ts";
import { endToEndFields, HttpRefusal, type HttpTarget } from "../listeners/http-request.ts";
import { answerFields, failureText } from "./http-answer.ts";
import type { HttpConnection } from "./http-connection.ts";

/** One request in absolute-form, and all that answering it needs. */
export interface Exchange {
  readonly clock: Clock;
  readonly gateway: Gateway;
  readonly connection: Pick<HttpConnection, "onceFailed" | "hasFailed">;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: HttpTarget;
  /** Who asks; undefined when nobody had to say. */
  readonly user: string | undefined;
}

/** How long a target may take to close after its answer is complete. */
const LINGER_MS = 5000;

/** Methods whose requests Node gives no framing of their own (RFC 9110 section 9.3). */
const USUALLY_EMPTY = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"]);

/**
 * Sends a request to its target by a stream of its own, and the answer back. Resolves when the
 * client has all of it. @throws why it will not get that: its connection must be broken off
 */
export async function forward(exchange: Exchange): Promise<void> {
  const { connection, request, response } = exchange;
  const fields = requestFields(exchange);
  let upstream: UpstreamRequest | undefined;
  let answer: IncomingMessage;
  try {
    upstream = await openUpstream(exchange, fields);
    answer = await answerOf(upstream, request, response);
    response.sendDate = false;
    response.writeHead(
      answer.statusCode ?? 0,
      answer.statusMessage ?? "",
      endToEndFields(answer.rawHeaders),
    );
  } catch (error) {
    // The client may be gone, or have heard already what it did wrong.
    if (connection.hasFailed) throw error;
    // What opening a stream came to is counted there.
    if (upstream) exchange.gateway.countFailure(error);
    upstream?.destroy();
    return refuse(exchange, error);
  }
  await relayBody(answer, upstream, response);
}

/** Opens a stream to the target, and starts the request on it. */
async function openUpstream(
  { clock, connection, gateway, request, target, user }: Exchange,
  headers: string[],
): Promise<UpstreamRequest> {
  const wanted = { command: Command.Connect, address: target.address, user };
  const { stream } = await gateway.open(wanted, connection, new Uint8Array());
  const totals = { leftToRight: 0, rightToLeft: 0 };
  const duplex = new ChannelDuplex(stream, totals);
  // Whoever waits for the answer hears of an error as well; after the answer nobody needs to.
  duplex.on("error", () => {});
  connection.onceFailed((reason) => duplex.destroy(reason as Error));
  // Beyond the answer, while the target closes: the client's next request does not wait for that.
  void gateway.hold(stream, totals, () => closed(duplex));
  const upstream = httpRequest({
    createConnection: () => duplex,
    method: request.method,
    path: target.path,
    headers,
  });
  upstream.once("response", (answer: IncomingMessage) =>
    answer.once("end", () => {
      const cancelTimer = clock.after(LINGER_MS, () => duplex.destroy());
      duplex.once("close", cancelTimer);
    }),
  );
  return upstream;
}

function requestFields({ request, target }: Exchange): string[] {
  const { "transfer-encoding": coding, "content-length": length } = request.headers;
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
    throw new HttpRefusal(501, "Cannot forward the request: its transfer coding is not chunked");
  }
  const fields = endToEndFields(request.rawHeaders, ["host", "content-length"]);
  // The body's framing is never left out, whatever Connection names: it would become a request.
  if (coding !== undefined) fields.push("Transfer-Encoding", "chunked");
  else if (length !== undefined) fields.push("Content-Length", length);
  else if (!USUALLY_EMPTY.has(request.method ?? "")) fields.push("Content-Length", "0");
  return ["Host", target.host, ...fields, "Connection", "close"];
}

/** Sends the request's body, and gives the answer as soon as its header is there. */
function answerOf(
  upstream: UpstreamRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<IncomingMessage> {
  const answered = Promise.withResolvers<IncomingMessage>();
  upstream.once("response", answered.resolve);
  upstream.on("error", answered.reject);
  if (request.headers.expect !== undefined && request.httpVersion === "1.1") {
    upstream.once("continue", () => response.writeContinue());
  }
  // Nobody asked for another protocol: the request went without Upgrade.
  upstream.once("upgrade", (_answer, socket) => socket.destroy(unanswered()));
  upstream.once("close", () => {
    answered.reject(unanswered());
    request.unpipe(upstream);
    request.resume();
  });
  upstream.flushHeaders();
  request.pipe(upstream);
  return answered.promise;
}

/** Resolves when the client has the whole body; rejects when the target breaks off before. */
function relayBody(
  answer: IncomingMessage,
  upstream: UpstreamRequest,
  response: ServerResponse,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const breakOff = (cause: Error): void => {
      if (answer.complete) return;
      // Now, as Node takes what it has for the whole of a body without a length.
      response.socket?.resetAndDestroy();
      reject(new StreamError("connection-reset", "The target broke off its answer", { cause }));
    };
    answer.once("error", breakOff);
    upstream.on("error", breakOff);
    response.once("close", resolve);
    answer.pipe(response);
  });
}

/** Tells the client why there is no answer; its connection goes on. */
async function refuse({ request, response }: Exchange, error: unknown): Promise<void> {
  const reason = reasonOf(error);
  const text = failureText(reason);
  request.resume();
  response.writeHead(replyTo[reason].http, answerFields(text));
  await new Promise((resolve) => response.once("close", resolve).end(`${text}\n`));
}

function unanswered(): Error {
  return new StreamError("general", "The target left without an answer that could be used");
}

function closed(duplex: ChannelDuplex): Promise<void> {
  return new Promise((resolve) => duplex.once("close", resolve));
}
