import { readFileSync } from "node:fs";
import type { FrameJson } from "./frame-json.ts";
import { hex } from "./hex.ts";

/** The specification, which the tests read so that it cannot drift from the code. */
export const specification: string = readFileSync(
  new URL("../../PROTOCOL.md", import.meta.url),
  "utf8",
);

/** The rows of the table whose header has exactly these cells, without back-ticks. */
export function tableOf(...header: readonly string[]): string[][] {
  const lines = specification.split("\n");
  const start = lines.findIndex((line) => cellsOf(line).join("|") === header.join("|"));
  if (start === -1) throw new Error(`PROTOCOL.md has no table ${header.join(" | ")}`);
  const end = lines.findIndex((line, at) => at > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map(cellsOf);
}

export interface Vector {
  readonly name: string;
  readonly message: Uint8Array;
  readonly frames: readonly FrameJson[];
  /** Whether an encoder writes these very bytes. */
  readonly isCanonical: boolean;
}

/** Appendix A: messages and what they decode to. */
export function vectors(): Vector[] {
  return blocksOf("vector").map((block) => {
    const field = fieldsOf(block);
    return {
      name: field("name"),
      message: hex(field("hex")),
      frames: JSON.parse(field("frames")) as FrameJson[],
      isCanonical: field("encode") !== "no",
    };
  });
}

export interface Violation {
  readonly name: string;
  readonly message: Uint8Array;
  readonly code: string;
}

/** Section A.16: messages that no decoder takes. */
export function violations(): Violation[] {
  return tableOf("message", "hex", "error").map(([name = "", bytes = "", code = ""]) => ({
    name,
    message: hex(repeated(bytes)),
    code,
  }));
}

export interface StateViolation extends Violation {
  readonly state: "greeting" | "open";
  readonly role: "agent" | "edge";
}

/** Section A.17: messages that an end in some state does not take. */
export function stateViolations(): StateViolation[] {
  return tableOf("to", "message", "hex", "error").map(
    ([to = "", name = "", bytes = "", code = ""]) => ({
      name: `${name} (${to})`,
      message: hex(repeated(bytes)),
      code,
      state: to.includes("greeting") ? "greeting" : "open",
      role: to.includes("agent") ? "agent" : "edge",
    }),
  );
}

export interface AdmissionVector {
  readonly keyId: string;
  readonly secret: string;
  readonly place: { readonly host: string; readonly path: string };
  readonly timeMs: number;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly token: string;
}

/** Section A.18. */
export function admissionVectors(): AdmissionVector[] {
  return blocksOf("admission").map((block) => {
    const field = fieldsOf(block);
    return {
      keyId: field("key id"),
      secret: field("secret"),
      place: { host: field("host"), path: field("path") },
      timeMs: Number(field("time")) * 1000,
      nonce: hex(field("nonce")),
      token: field("token"),
    };
  });
}

export interface DumpedMessage {
  readonly from: "agent" | "edge";
  readonly message: Uint8Array;
}

/** Appendix B: the messages of one CONNECT, in order. */
export function dump(): DumpedMessage[] {
  const [block = ""] = blocksOf("dump");
  return block.split(/\n(?=[<>])/).map((part) => ({
    from: part.startsWith(">") ? "agent" : "edge",
    message: hex(
      part
        .split("\n")
        .map((line) => line.slice(1).replace(/;.*/, ""))
        .join(" "),
    ),
  }));
}

function cellsOf(line: string): string[] {
  if (!line.startsWith("|")) return [];
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.replaceAll("`", "").trim());
}

function blocksOf(language: string): string[] {
  const pattern = new RegExp(`^\`\`\`${language}\n(.*?)\n\`\`\`$`, "gms");
  return Array.from(specification.matchAll(pattern), ([, block = ""]) => block);
}

/** "name: value" lines; a line that is indented goes on with the one above. */
function fieldsOf(block: string): (name: string) => string {
  const fields = new Map<string, string>();
  for (const line of block.replaceAll(/\n +/g, " ").split("\n")) {
    const colon = line.indexOf(":");
    fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return (name) => fields.get(name) ?? "";
}

/** "61*900" is 0x61, 900 times. */
function repeated(text: string): string {
  return text.replaceAll(/([0-9a-f]{2})\*(\d+)/g, (_, byte: string, count: string) =>
    byte.repeat(Number(count)),
  );
}
