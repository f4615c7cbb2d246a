import { describe, expect, it } from "vitest";
import { formatTurnUrl, parseTurnUrl } from "../../../../edge-worker/egress/turn/turn-url.ts";

describe("parseTurnUrl()", () => {
  it.each([
    ["turn:turn.example", "turn:turn.example:3478?transport=tcp"],
    ["turn:turn.example:80?transport=tcp", "turn:turn.example:80?transport=tcp"],
    ["turns:Turn.Example", "turns:turn.example:5349?transport=tcp"],
    ["turn:192.0.2.1:3478", "turn:192.0.2.1:3478?transport=tcp"],
    ["TURNS:[2001:DB8::1]:443?transport=TCP", "turns:[2001:db8::1]:443?transport=tcp"],
  ])("reads %s", (text, canonical) => {
    const url = parseTurnUrl(text);
    expect(url && formatTurnUrl(url)).toBe(canonical);
  });

  it.each([
    "",
    "turn.example",
    "stun:turn.example",
    "turn:",
    "turn://turn.example",
    "turn:turn.example?transport=udp",
    "turn:turn.example?transport=tcp&x=1",
    "turn:turn.example:0",
    "turn:turn.example:65536",
    "turn:ann:pw@turn.example",
    "turn:2001:db8::1",
    "turn:[2001:db8::1",
    "turn:a b",
    "turn:turn.example/path",
  ])("refuses %j", (text) => {
    expect(parseTurnUrl(text)).toBeUndefined();
  });
});
