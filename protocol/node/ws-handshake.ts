import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** The one version of RFC 6455, and so of everybody. */
const VERSION = "13";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Sixteen bytes in base64 (RFC 6455 section 4.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** The key of one Upgrade request, and the fields that go with it. */
export function newUpgrade(): { key: string; headers: Record<string, string> } {
  const key = randomBytes(16).toString("base64");
  return {
    key,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": VERSION,
      "sec-websocket-key": key,
    },
  };
}

/** Sec-WebSocket-Accept for a key: who sends it has read the request as one for a WebSocket. */
export function acceptOf(key: string): string {
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

/**
 * Why the answer to an Upgrade request with `key` opens no WebSocket that we could use; undefined
 * when it does (RFC 6455 section 4.1).
 */
export function flawOfAnswer(headers: IncomingHttpHeaders, key: string): string | undefined {
  if (headers.upgrade?.toLowerCase() !== "websocket") return "it upgrades to something else";
  if (headers["sec-websocket-accept"] !== acceptOf(key)) return "its Sec-WebSocket-Accept is wrong";
  // Nothing was offered: whoever takes an extension would send frames that mean something else.
  if (headers["sec-websocket-extensions"] !== undefined) return "it takes an extension";
  if (headers["sec-websocket-protocol"] !== undefined) return "it takes a subprotocol";
  return undefined;
}

/**
 * The answer to an Upgrade request; undefined when it does not ask for a WebSocket of RFC 6455
 * (section 4.2.1). Extensions and subprotocols are never taken up.
 */
export function answerUpgrade(headers: IncomingHttpHeaders): string | undefined {
  const key = headers["sec-websocket-key"];
  if (headers.upgrade?.toLowerCase() !== "websocket") return undefined;
  if (headers["sec-websocket-version"] !== VERSION) return undefined;
  if (key === undefined || !KEY.test(key)) return undefined;
  return (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`
  );
}
