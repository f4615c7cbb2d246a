import { describe, expect, it } from "vitest";
import { createEdge } from "../../edge-worker/edge.ts";
import {
  Admission,
  type Admitted,
  Keyring,
  NonceCache,
  TOLERANCE_MS,
} from "../../protocol/admission.ts";

const ORIGIN = "https://edge.example";
const PATH = "/some/path";
const admission = new Admission("test", "a secret long enough");
const keyring = new Keyring([{ id: "test", secret: "a secret long enough", expiresAt: Infinity }]);
const place = { host: "edge.example", path: PATH };

/** An edge that answers 299 to whom it admits, and takes each token once. */
function createApp(hasKeys = true) {
  const admitted: Admitted[] = [];
  const nonces = new NonceCache(100);
  const app = createEdge<object>({
    keyring: () => (hasKeys ? keyring : undefined),
    upgrade: (_request, bearer) => {
      if (!nonces.take(bearer, Date.now())) return undefined;
      admitted.push(bearer);
      return new Response("upgraded", { status: 299 });
    },
  });
  return { app, admitted };
}

const token = (at = place, nowMs = Date.now(), keys = admission): Promise<string> =>
  keys.issue(at, nowMs);

/** An answer with everything that a stranger can see of it. */
async function seen(response: Response | Promise<Response>): Promise<object> {
  const answer = await response;
  const { status, statusText, headers } = answer;
  return { status, statusText, headers: [...headers], text: await answer.text() };
}

function ask(
  app: ReturnType<typeof createApp>["app"],
  path: string,
  bearer?: string,
  headers: Readonly<Record<string, string>> = { upgrade: "websocket" },
) {
  const authorization: Record<string, string> =
    bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  return app.request(`${ORIGIN}${path}`, { headers: { ...headers, ...authorization } });
}

describe("createEdge()", () => {
  it("answers /healthz", async () => {
    const response = await ask(createApp().app, "/healthz", undefined, {});
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("ok\n");
  });

  it("has an ordinary front page", async () => {
    const response = await ask(createApp().app, "/", undefined, {});
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    expect(await response.text()).not.toMatch(/edgesocks|socks|proxy|tunnel|websocket/i);
  });

  it("answers 404 to any other path, and says nothing of itself", async () => {
    const response = await ask(createApp().app, "/no/such/page", undefined, {});
    expect(response.status).toBe(404);
    expect([...response.headers].join()).not.toMatch(/edgesocks|hono|upgrade/i);
    expect(await response.text()).not.toMatch(/edgesocks|socks|proxy|tunnel|websocket/i);
  });

  it.each(["POST", "PUT", "OPTIONS", "DELETE"])("answers 404 to %s", async (method) => {
    const { app, admitted } = createApp();
    const headers = { authorization: `Bearer ${await token()}`, upgrade: "websocket" };
    const response = await app.request(`${ORIGIN}${PATH}`, { method, headers });
    expect(response.status).toBe(404);
    expect(admitted).toHaveLength(0);
  });
});

describe("createEdge() on an Upgrade request", () => {
  it("upgrades for a valid token, and says whose it is", async () => {
    const { app, admitted } = createApp();
    const response = await ask(app, PATH, await token());
    expect(response.status).toBe(299);
    expect(admitted).toMatchObject([{ keyId: "test" }]);
  });

  it.each(["websocket", "WebSocket", "WEBSOCKET"])("knows %s", async (upgrade) => {
    const { app } = createApp();
    expect((await ask(app, PATH, await token(), { upgrade })).status).toBe(299);
  });

  it("leaves the query out of what a token is bound to", async () => {
    const { app } = createApp();
    expect((await ask(app, `${PATH}?x=1`, await token())).status).toBe(299);
  });

  it("takes a carrier at /, too", async () => {
    const { app } = createApp();
    expect((await ask(app, "/", await token({ ...place, path: "/" }))).status).toBe(299);
  });

  const tooOld = Date.now() - TOLERANCE_MS - 5000;
  const tooEarly = Date.now() + TOLERANCE_MS + 5000;
  const otherSecret = new Admission("test", "another secret, as long");
  const otherKey = new Admission("other", "a secret long enough");
  const upgrade = { upgrade: "websocket" };
  const strangers: readonly [string, () => Promise<string | undefined>, Record<string, string>][] =
    [
      ["no token", async () => undefined, upgrade],
      ["an empty token", async () => "", upgrade],
      ["garbage", async () => "garbage", upgrade],
      ["a token of another secret", () => token(place, Date.now(), otherSecret), upgrade],
      ["a token of another key", () => token(place, Date.now(), otherKey), upgrade],
      ["an old token", () => token(place, tooOld), upgrade],
      ["a token of the future", () => token(place, tooEarly), upgrade],
      ["a token for another host", () => token({ ...place, host: "other.example" }), upgrade],
      ["a token for another path", () => token({ ...place, path: "/other" }), upgrade],
      ["a token cut short", async () => (await token()).slice(0, -1), upgrade],
      ["a token with its last character changed", async () => changed(await token()), upgrade],
      ["a valid token without Upgrade", token, {}],
      ["a valid token and another Upgrade", token, { upgrade: "h2c" }],
    ];

  it.each(strangers)("answers %s as it answers a wrong path", async (_what, bearer, headers) => {
    const { app, admitted } = createApp();
    const wrongPath = await seen(ask(app, "/no/such/page", undefined, {}));
    expect(await seen(ask(app, PATH, await bearer(), headers))).toEqual(wrongPath);
    expect(admitted).toHaveLength(0);
  });

  it.each(strangers)(
    "answers %s at / as it answers any visitor",
    async (_what, bearer, headers) => {
      const { app, admitted } = createApp();
      const visitor = await seen(ask(app, "/", undefined, {}));
      expect(await seen(ask(app, "/", await bearer(), headers))).toEqual(visitor);
      expect(admitted).toHaveLength(0);
    },
  );

  it("answers a replayed token as it answers a wrong path", async () => {
    const { app, admitted } = createApp();
    const bearer = await token();
    expect((await ask(app, PATH, bearer)).status).toBe(299);
    const wrongPath = await seen(ask(app, "/no/such/page", undefined, {}));
    expect(await seen(ask(app, PATH, bearer))).toEqual(wrongPath);
    expect(admitted).toHaveLength(1);
  });

  it("answers everybody as a wrong path while it has no keys", async () => {
    const { app } = createApp(false);
    const wrongPath = await seen(ask(app, "/no/such/page", undefined, {}));
    expect(await seen(ask(app, PATH, await token()))).toEqual(wrongPath);
  });

  it.each(["Basic dGVzdDp0ZXN0", "Bearer", "Bearer a b", "bearer"])(
    "answers the Authorization header %j as it answers a wrong path",
    async (authorization) => {
      const { app } = createApp();
      const wrongPath = await seen(ask(app, "/no/such/page", undefined, {}));
      const response = ask(app, PATH, undefined, { ...upgrade, authorization });
      expect(await seen(response)).toEqual(wrongPath);
    },
  );
});

/** The same text with another last character. The very last carries bits that no decoder reads. */
function changed(text: string): string {
  const at = text.length - 2;
  return `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
}
