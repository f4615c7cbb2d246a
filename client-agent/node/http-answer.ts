import { STATUS_CODES } from "node:http";
import { replyTo } from "../../protocol/failure.ts";
import type { FailureReason } from "../../protocol/errors.ts";
import type { Replies } from "../listeners/request.ts";

/** Answers to CONNECT (RFC 9110 section 9.3.6). */
export const connectReplies: Replies = {
  success: () => Buffer.from("HTTP/1.1 200 Connection Established\r\n\r\n"),
  failure: (reason) => encodeAnswer(replyTo[reason].http, failureText(reason)),
};

/**
 * A whole answer after which the connection ends; the text is for people. An answer to HEAD says how
 * long it would be, and leaves it out (RFC 9110 section 9.3.2).
 */
export function encodeAnswer(status: number, text: string, isForHead = false): Uint8Array {
  const fields = [...answerFields(text), "Connection", "close"];
  if (status === 407) fields.push("Proxy-Authenticate", 'Basic realm="edgesocks"');
  const lines = fields.map((field, i) => (i % 2 === 0 ? `${field}: ` : `${field}\r\n`)).join("");
  const answer = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n${isForHead ? "" : `${text}\n`}`;
  return new Uint8Array(Buffer.from(answer));
}

/** The fields of an answer that consists of one line, as flat pairs. */
export function answerFields(text: string): string[] {
  const length = String(Buffer.byteLength(text) + 1);
  return ["Content-Type", "text/plain; charset=utf-8", "Content-Length", length];
}

/** What people read when a target cannot be had. */
export function failureText(reason: FailureReason): string {
  return `Cannot reach the target: ${reason}`;
}
