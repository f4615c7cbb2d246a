import { describe, expect, it } from "vitest";
import { isLocalName } from "../../../edge-worker/policy/local-names.ts";
import { parseHost } from "../../../protocol/address.ts";

describe("isLocalName()", () => {
  it.each([
    "localhost",
    "www.localhost",
    "localhost.localdomain",
    "printer.local",
    "home.arpa",
    "router.home.arpa",
    "metadata.google.internal",
    "nas.lan",
    "fritz.home",
    "wiki.corp",
    "www.intranet",
    "db.private",
    "_dns.resolver.arpa",
    "default.service.arpa",
  ])("knows %s", (name) => expect(isLocalName(name)).toBe(true));

  it.each([
    "LOCALHOST",
    "localhost.",
    "Printer.LOCAL.",
    "ⓛocalhost",
    "ｌｏｃａｌｈｏｓｔ",
    "loc\u00adalhost",
    "nas。lan",
    "nas．lan",
    "nas｡lan",
  ])("knows %s in the canonical form", (text) => {
    expect(isLocalName(parseHost(text).host)).toBe(true);
  });

  it.each([
    "example.com",
    "localhost.example.com",
    "mylocalhost",
    "notlocal",
    "arpa",
    "x.arpa",
    "lan.example",
    "plan",
    "127.0.0.1.nip.io",
  ])("takes %s for a name of the internet", (name) => expect(isLocalName(name)).toBe(false));
});
