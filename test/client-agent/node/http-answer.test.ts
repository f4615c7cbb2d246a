import { describe, expect, it } from "vitest";
import {
  answerFields,
  connectReplies,
  encodeAnswer,
} from "../../../client-agent/node/http-answer.ts";
import { UNSPECIFIED } from "../../../protocol/address.ts";
import type { FailureReason } from "../../../protocol/errors.ts";
import { replyTo } from "../../../protocol/failure.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe("connectReplies", () => {
  it("has no body behind success, where the tunnel begins", () => {
    expect(text(connectReplies.success(UNSPECIFIED))).toBe(
      "HTTP/1.1 200 Connection Established\r\n\r\n",
    );
  });

  it.each(Object.keys(replyTo) as FailureReason[])("names %s in one line", (reason) => {
    const [header = "", body = ""] = text(connectReplies.failure(reason)).split("\r\n\r\n");
    expect(header).toMatch(new RegExp(`^HTTP/1\\.1 ${replyTo[reason].http} \\w`));
    expect(header).toContain(`\r\nContent-Length: ${body.length}\r\n`);
    expect(header).toContain("\r\nConnection: close");
    expect(body).toBe(`Cannot reach the target: ${reason}\n`);
  });
});

describe("encodeAnswer()", () => {
  it("asks for a name and password in 407 alone", () => {
    const challenge = '\r\nProxy-Authenticate: Basic realm="edgesocks"\r\n';
    expect(text(encodeAnswer(407, "Cannot authenticate"))).toContain(challenge);
    expect(text(encodeAnswer(400, "Cannot take the request"))).not.toContain(challenge);
  });
});

describe("answerFields()", () => {
  it("counts octets and the newline", () => {
    expect(answerFields("ä").at(-1)).toBe("3");
  });
});
