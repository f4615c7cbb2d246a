import { Hono } from "hono";
import {
  type Admitted,
  bearerOf,
  type Keyring,
  type Place,
  placeOf,
} from "../protocol/admission.ts";

/** What differs between platforms when somebody knocks. */
export interface EdgePlatform<Bindings extends object> {
  /** The keys of this edge; undefined, after saying so in a log, when it has none. */
  readonly keyring: (bindings: Bindings) => Promise<Keyring | undefined> | Keyring | undefined;
  /** The host that was asked for, where a proxy in front that is trusted says so. */
  readonly hostOf?: (request: Request, bindings: Bindings) => string | undefined;
  /** Turns an admitted request into a carrier; undefined when its token was used before. */
  readonly upgrade: (
    request: Request,
    admitted: Admitted,
    bindings: Bindings,
  ) => Promise<Response | undefined> | Response | undefined;
}

/**
 * The edge as HTTP sees it. Any path takes a carrier, as the token is bound to the path: a wrong
 * secret, a replayed token and a wrong path all run into the same answer, made in one place.
 */
export function createEdge<Bindings extends object>(
  platform: EdgePlatform<Bindings>,
): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();

  app.get("/healthz", (context) => context.text("ok\n"));

  app.get("*", async (context, next) => {
    const { req, env } = context;
    const token = bearerOf(req.header("authorization"));
    if (token === "" || req.header("upgrade")?.toLowerCase() !== "websocket") return next();
    const keyring = await platform.keyring(env);
    const admitted = await keyring?.check(token, placeAsked(platform, req.raw, env), Date.now());
    if (!admitted) return next();
    return (await platform.upgrade(req.raw, admitted, env)) ?? next();
  });

  app.get("/", (context) => context.html(FRONT_PAGE));
  app.notFound((context) => context.html(NOT_FOUND_PAGE, 404));
  return app;
}

/** What the token of a request has to be bound to. */
function placeAsked<Bindings extends object>(
  { hostOf }: EdgePlatform<Bindings>,
  request: Request,
  bindings: Bindings,
): Place {
  const place = placeOf(new URL(request.url));
  const host = hostOf?.(request, bindings);
  const url = host === undefined ? null : URL.parse(`http://${host}/`);
  return url ? { ...place, host: placeOf(url).host } : place;
}

const FRONT_PAGE = page("It works", "There is nothing to see here yet.");
const NOT_FOUND_PAGE = page("Not found", "There is no such page.");

function page(title: string, text: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1><p>${text}</p></html>
`;
}
