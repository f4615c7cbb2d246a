import { lookup, reverse } from "node:dns/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  decodeDnsMessage,
  encodeQuery,
  Rcode,
  RecordType,
} from "../../../edge-worker/egress/dns/dns-message.ts";
import { createDohSource } from "../../../edge-worker/egress/dns/doh-source.ts";
import { type NameService, serveNameService } from "../../../edge-worker/node/name-service.ts";
import { nodeClock } from "../../../protocol/node/node-clock.ts";

// No query leaves this machine: the resolver is what each test says.
vi.mock("node:dns/promises", () => ({ lookup: vi.fn(), reverse: vi.fn() }));

let service: NameService;

/** What the system finds: addresses, or the error code of getaddrinfo. */
function resolveTo(found: readonly string[] | string): void {
  vi.mocked(lookup).mockImplementation((async () => {
    if (typeof found === "string") throw Object.assign(new Error(found), { code: found });
    return found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  }) as never);
}

const post = (body: Uint8Array<ArrayBuffer>): Promise<Response> =>
  fetch(service.url, { method: "POST", body });

async function ask(name: string, type: number) {
  const response = await post(encodeQuery(7, name, type));
  expect(response.headers.get("content-type")).toBe("application/dns-message");
  const { id, rcode, answers } = decodeDnsMessage(new Uint8Array(await response.arrayBuffer()));
  return { id, rcode, texts: answers.map(({ text }) => text) };
}

beforeEach(async () => {
  service = await serveNameService();
});

afterEach(() => service.close());

describe("serveNameService()", () => {
  it("listens on loopback only", () => {
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/dns-query$/);
  });

  it("answers with the addresses of the type that it is asked for", async () => {
    resolveTo(["192.0.2.1", "2001:db8::1", "2001:db8::2"]);
    const rcode = Rcode.NoError;
    expect(await ask("x.test", RecordType.A)).toEqual({ id: 7, rcode, texts: ["192.0.2.1"] });
    const texts = ["2001:db8::1", "2001:db8::2"];
    expect(await ask("x.test", RecordType.AAAA)).toEqual({ id: 7, rcode, texts });
    expect(await ask("x.test", 16)).toEqual({ id: 7, rcode, texts: [] });
    expect(vi.mocked(lookup).mock.calls.map(([name]) => name)).toEqual(["x.test", "x.test"]);
  });

  it("answers with the names of an address", async () => {
    vi.mocked(reverse).mockResolvedValue(["DNS.Example."]);
    expect((await ask("1.2.0.192.in-addr.arpa", RecordType.PTR)).texts).toEqual(["dns.example"]);
    expect(reverse).toHaveBeenCalledExactlyOnceWith("192.0.2.1");
    expect((await ask("no-address.test", RecordType.PTR)).texts).toEqual([]);
  });

  it("answers without records for a name that is not found", async () => {
    resolveTo("ENOTFOUND");
    expect(await ask("x.invalid", RecordType.A)).toEqual({
      id: 7,
      rcode: Rcode.NoError,
      texts: [],
    });
  });

  it.each(["EAI_AGAIN", "EAI_FAIL", "ENOMEM"])("answers a server failure for %s", async (code) => {
    resolveTo(code);
    expect((await ask("x.test", RecordType.A)).rcode).toBe(Rcode.ServerFailure);
  });

  it("is what createDohSource() understands", async () => {
    const { addressesOf } = createDohSource([service.url], { clock: nodeClock });
    resolveTo(["2001:db8::1", "192.0.2.1"]);
    expect((await addressesOf("x.test")).data).toEqual(["192.0.2.1", "2001:db8::1"]);
    resolveTo("ENOTFOUND");
    expect((await addressesOf("x.invalid")).data).toEqual([]);
    resolveTo("EAI_AGAIN");
    await expect(addressesOf("x.test")).rejects.toMatchObject({ reason: "host-unreachable" });
  });

  it("answers nothing else", async () => {
    expect((await fetch(new URL("/", service.url))).status).toBe(404);
    expect((await fetch(service.url)).status).toBe(404);
    expect((await post(Uint8Array.of(1, 2, 3))).status).toBe(400);
  });
});

describe("NameService.close()", () => {
  it("leaves nothing listening", async () => {
    service.close();
    await expect(fetch(service.url)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });
});
