import { lookup } from "node:dns/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createNameCheck } from "../../../edge-worker/egress/name-check.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { type NameService, serveNameService } from "../../../edge-worker/node/name-service.ts";

// No query leaves this machine: the resolver is what each test says.
vi.mock("node:dns/promises", () => ({ lookup: vi.fn() }));

let service: NameService;

/** What the resolver finds for IPv4 and IPv6: addresses, or the error code of getaddrinfo. */
function resolveTo(ipv4: string[] | string, ipv6: string[] | string): void {
  vi.mocked(lookup).mockImplementation((async (_name: string, { family }: { family: number }) => {
    const found = family === 6 ? ipv6 : ipv4;
    if (typeof found === "string") throw Object.assign(new Error(found), { code: found });
    return found.map((address) => ({ address, family }));
  }) as never);
}

const ask = async (query: string): Promise<unknown> =>
  (await fetch(`${service.url}?${query}`)).json();

beforeEach(async () => {
  service = await serveNameService();
});

afterEach(() => service.close());

describe("serveNameService()", () => {
  it("listens on loopback only", () => {
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/dns-query$/);
  });

  it("asks the resolver for the type that it is asked for", async () => {
    resolveTo(["192.0.2.1"], ["2001:db8::1", "2001:db8::2"]);
    expect(await ask("name=x.test&type=A")).toEqual({ Status: 0, Answer: [{ data: "192.0.2.1" }] });
    expect(await ask("name=x.test&type=AAAA")).toEqual({
      Status: 0,
      Answer: [{ data: "2001:db8::1" }, { data: "2001:db8::2" }],
    });
    expect(vi.mocked(lookup).mock.calls.map(([name]) => name)).toEqual(["x.test", "x.test"]);
  });

  it("answers NXDOMAIN for a name that is not found", async () => {
    resolveTo("ENOTFOUND", "ENOTFOUND");
    expect(await ask("name=x.invalid&type=A")).toEqual({ Status: 3 });
  });

  it.each(["EAI_AGAIN", "EAI_FAIL", "ENOMEM"])("answers a server failure for %s", async (code) => {
    resolveTo(code, code);
    expect(await ask("name=x.test&type=A")).toEqual({ Status: 2 });
  });

  it("is what createNameCheck() understands", async () => {
    const exists = createNameCheck(service.url);
    resolveTo("ENOTFOUND", ["2001:db8::1"]);
    expect(await exists("x.test")).toEqual([parseAddress("2001:db8::1", 0)]);
    resolveTo("ENOTFOUND", "ENOTFOUND");
    expect(await exists("x.invalid")).toEqual([]);
    resolveTo("EAI_AGAIN", "ENOTFOUND");
    expect(await exists("x.test")).toBeUndefined();
  });

  it("answers nothing else", async () => {
    const { status } = await fetch(new URL("/", service.url));
    expect(status).toBe(404);
  });
});

describe("NameService.close()", () => {
  it("leaves nothing listening", async () => {
    service.close();
    await expect(fetch(service.url)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });
});
