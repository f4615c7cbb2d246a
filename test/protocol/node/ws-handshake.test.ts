import { describe, expect, it } from "vitest";
import {
  acceptOf,
  answerUpgrade,
  flawOfAnswer,
  newUpgrade,
} from "../../../protocol/node/ws-handshake.ts";

// RFC 6455 section 1.3.
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const asked = { upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": KEY };
const answered = { upgrade: "websocket", "sec-websocket-accept": ACCEPT };

describe("acceptOf()", () => {
  it("makes the answer of RFC 6455 section 1.3", () => expect(acceptOf(KEY)).toBe(ACCEPT));
});

describe("newUpgrade()", () => {
  it("makes a new key each time, which answerUpgrade() and flawOfAnswer() take", () => {
    const [one, other] = [newUpgrade(), newUpgrade()];
    expect(one.key).not.toBe(other.key);
    const fields = Object.entries(one.headers).map(([name, value]) => [name.toLowerCase(), value]);
    expect(answerUpgrade(Object.fromEntries(fields) as typeof asked)).toContain(acceptOf(one.key));
    expect(flawOfAnswer({ ...answered, "sec-websocket-accept": acceptOf(one.key) }, one.key)).toBe(
      undefined,
    );
  });
});

describe("answerUpgrade()", () => {
  it("takes what a client of RFC 6455 sends, in any letters", () => {
    expect(answerUpgrade({ ...asked, upgrade: "WebSocket" })).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
    );
  });

  it("takes up no extension and no subprotocol", () => {
    const offer = {
      "sec-websocket-extensions": "permessage-deflate",
      "sec-websocket-protocol": "chat",
    };
    expect(answerUpgrade({ ...asked, ...offer })).toBe(answerUpgrade(asked));
  });

  it.each([
    ["no key", { "sec-websocket-key": undefined }],
    ["a short key", { "sec-websocket-key": "AAAA" }],
    ["a key with a line break", { "sec-websocket-key": `${KEY}\r\n` }],
    ["an old version", { "sec-websocket-version": "8" }],
    ["no version", { "sec-websocket-version": undefined }],
    ["something else", { upgrade: "h2c" }],
  ])("takes no request with %s", (_what, change) => {
    expect(answerUpgrade({ ...asked, ...change })).toBeUndefined();
  });
});

describe("flawOfAnswer()", () => {
  it("finds none in a right answer", () => {
    expect(flawOfAnswer(answered, KEY)).toBeUndefined();
    expect(flawOfAnswer({ ...answered, upgrade: "WebSocket" }, KEY)).toBeUndefined();
  });

  it.each([
    ["another protocol", { upgrade: "h2c" }],
    ["no protocol", { upgrade: undefined }],
    ["another key's answer", { "sec-websocket-accept": acceptOf("other") }],
    ["no answer to the key", { "sec-websocket-accept": undefined }],
    ["an extension", { "sec-websocket-extensions": "permessage-deflate" }],
    ["a subprotocol", { "sec-websocket-protocol": "chat" }],
  ])("finds %s", (_what, change) => {
    const flaw = flawOfAnswer({ ...answered, ...change }, KEY);
    expect(flaw).toMatch(/^its? /);
  });
});
