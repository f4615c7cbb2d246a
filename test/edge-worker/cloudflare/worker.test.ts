import { describe, expect, it } from "vitest";
import { bundleWorker } from "../../../edge-worker/node/worker-bundle.ts";
import { Admission } from "../../../protocol/admission.ts";

const SECRET = "a secret long enough";
const URL_OF_EDGE = "https://edge.example/";

interface Worker {
  fetch(request: Request, env: object): Promise<Response>;
}

/** The Worker as it is deployed, on Node: what only workerd has is empty, and nothing here calls it. */
async function importWorker(): Promise<Worker> {
  const modules: Readonly<Record<string, string>> = {
    "cloudflare:workers": "export class DurableObject {}",
    "cloudflare:sockets": "export function connect() { throw new Error('not here'); }",
  };
  const text = (await bundleWorker()).replaceAll(
    /from "(cloudflare:\w+)"/g,
    (_, name: string) => `from ${JSON.stringify(dataUrl(modules[name] ?? ""))}`,
  );
  const { default: worker } = (await import(/* @vite-ignore */ dataUrl(text))) as {
    default: Worker;
  };
  return worker;
}

function dataUrl(text: string): string {
  return `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
}

/** What the Worker asks of its Durable Objects when an agent knocks: the arguments of get(). */
async function objectsAsked(variables: object): Promise<unknown[][]> {
  const asked: unknown[][] = [];
  const BRIDGES = {
    idFromName: (name: string) => `id of ${name}`,
    get: (...args: unknown[]) => {
      asked.push(args);
      return { fetch: async () => new Response(null, { status: 409 }) };
    },
  };
  const place = { host: "edge.example", path: "/" };
  const token = await new Admission("default", SECRET).issue(place, Date.now());
  const headers = { authorization: `Bearer ${token}`, upgrade: "websocket" };
  const worker = await importWorker();
  const request = new Request(URL_OF_EDGE, { headers });
  await worker.fetch(request, { EDGESOCKS_SECRET: SECRET, BRIDGES, ...variables });
  return asked;
}

describe("the Worker", () => {
  it("asks for its Durable Object where LOCATION_HINT says", async () => {
    expect(await objectsAsked({ LOCATION_HINT: "weur" })).toEqual([
      ["id of default", { locationHint: "weur" }],
    ]);
  });

  it("leaves the place to Cloudflare without LOCATION_HINT", async () => {
    expect(await objectsAsked({})).toEqual([["id of default", {}]]);
  });

  it("lets nobody in where a variable cannot be used", async () => {
    expect(await objectsAsked({ LOCATION_HINT: "mars" })).toEqual([]);
  });
});
