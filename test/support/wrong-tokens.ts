import { createHmac, randomBytes, randomInt } from "node:crypto";

/** What an edge's tokens are made of, and the place of the request that they go with. */
export interface TokenParts {
  readonly keyId: string;
  readonly secret: string;
  readonly host: string;
  readonly path: string;
}

const TOLERANCE_S = 120;

const nonce = (): string => randomBytes(16).toString("base64url");
const nowS = (): number => Math.floor(Date.now() / 1000);

/** A token as PROTOCOL.md section 11 has it, made without the code under test. */
export function tokenOf(
  parts: TokenParts,
  seconds: number | string = nowS(),
  salt = nonce(),
): string {
  const signed = `${parts.keyId}.${seconds}.${salt}`;
  const input = ["edgesocks admission 1", parts.host, parts.path, signed].join("\n");
  return `${signed}.${createHmac("sha256", parts.secret).update(input).digest("base64url")}`;
}

/** Kinds of tokens that no edge admits, each made anew at random. */
export const wrongTokens: Readonly<Record<string, (parts: TokenParts) => string>> = {
  "a random MAC": (parts) =>
    tokenOf(parts).replace(/[^.]*$/, randomBytes(32).toString("base64url")),
  "a MAC with one character changed": (parts) => {
    // Not the last: it has two bits that say nothing.
    const token = tokenOf(parts);
    const at = token.length - 2 - randomInt(42);
    return `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
  },
  "another secret": (parts) => tokenOf({ ...parts, secret: randomBytes(32).toString("base64url") }),
  "a secret with its last character changed": (parts) =>
    tokenOf({ ...parts, secret: `${parts.secret.slice(0, -1)}\u00df` }),
  "an old time": (parts) => tokenOf(parts, nowS() - TOLERANCE_S - 5 - randomInt(1_000_000)),
  "a future time": (parts) => tokenOf(parts, nowS() + TOLERANCE_S + 60 + randomInt(1_000_000)),
  "no time at all": (parts) => tokenOf(parts, ["", "-1", "0x10", "1e9", " 1"][randomInt(5)]),
  "a time changed after it was signed": (parts) =>
    tokenOf(parts, nowS() - 300).replace(/\.\d+\./, `.${nowS()}.`),
  "a nonce changed after it was signed": (parts) => {
    const [keyId = "", seconds = "", , mac = ""] = tokenOf(parts).split(".");
    return [keyId, seconds, nonce(), mac].join(".");
  },
  "another host": (parts) => tokenOf({ ...parts, host: `${randomInt(255)}.example` }),
  "another path": (parts) => tokenOf({ ...parts, path: `${parts.path}${randomInt(1000)}` }),
  "host and path run together": (parts) =>
    tokenOf({ ...parts, host: `${parts.host}\n${parts.path}`, path: "" }),
  "another key id": (parts) => tokenOf({ ...parts, keyId: `other-${randomInt(1000)}` }),
  "a key id changed after it was signed": (parts) => tokenOf(parts).replace(/^[^.]*/, "other"),
  "its end cut off": (parts) => {
    const token = tokenOf(parts);
    return token.slice(0, 1 + randomInt(token.length - 2));
  },
  "its beginning cut off": (parts) => {
    const token = tokenOf(parts);
    return token.slice(1 + randomInt(token.length - 2));
  },
  "something behind it": (parts) => `${tokenOf(parts)}${"=.A"[randomInt(3)]}`,
  "standard base64": (parts) => `${tokenOf(parts).slice(0, -1)}+`,
  garbage: () => randomBytes(1 + randomInt(200)).toString("base64"),
  "four parts of garbage": () =>
    Array.from({ length: 4 }, () => randomBytes(16).toString("hex").slice(randomInt(32))).join("."),
  "very much garbage": () => randomBytes(3000).toString("base64url"),
};
