import type { Clock } from "../../../protocol/clock.ts";
import { reasonOf, StreamError } from "../../../protocol/errors.ts";
import type { Connection, Egress } from "../egress.ts";
import type { BlockedTargets } from "./blocked-targets.ts";
import { inTurn, isReachability, SharedTime } from "./in-turn.ts";
import { RoutedAssociation } from "./routed-association.ts";
import { Routes } from "./routes.ts";
import type { Upstream } from "./upstream.ts";

export interface RoutedEgressOptions {
  readonly clock: Clock;
  readonly direct: Egress;
  /** In the order in which they are tried. */
  readonly upstreams: readonly Upstream[];
  /** What `direct` cannot connect to, where there is something of the kind. */
  readonly blocked: BlockedTargets | undefined;
  /** For all ways to a target together. */
  readonly connectTimeoutMs: number;
}

/** Who is asked for when nobody is: no key has this id. */
const NOBODY = "";

/** `direct`, and the upstreams that stand beside it: each target goes the way that the list says. */
export function createRoutedEgress(options: RoutedEgressOptions, user = NOBODY): Egress {
  const { direct, upstreams, blocked } = options;
  if (upstreams.length === 0 && !blocked) return direct;
  const routes = new Routes(direct, upstreams, user);
  const all: Omit<Required<Egress>, "forUser" | "isDnsOnly"> = {
    connect: (...dial) => connect(options, routes, dial),
    listen: async (peer, policy, signal, latest) =>
      inTurn(routes.able("listen", peer, "bind"), (way) =>
        way.listen(peer, policy, signal, latest),
      ),
    associate: (policy, deliver) => RoutedAssociation.open(routes, policy, deliver),
    resolve: async (name, policy) =>
      inTurn(routes.able("resolve", name, "resolve"), (way) => way.resolve(name, policy)),
    reverse: async (address) =>
      inTurn(routes.able("reverse", address, "resolve"), (way) => way.reverse(address)),
  };
  return {
    forUser: (user) => createRoutedEgress(options, user),
    connect: all.connect,
    ...(routes.can("listen") ? { listen: all.listen } : {}),
    ...(routes.can("associate") ? { associate: all.associate } : {}),
    ...(routes.isDnsOnly ? { isDnsOnly: true } : {}),
    ...(routes.can("resolve") ? { resolve: all.resolve } : {}),
    ...(routes.can("reverse") ? { reverse: all.reverse } : {}),
  };
}

async function connect(
  { clock, direct, blocked, connectTimeoutMs }: RoutedEgressOptions,
  routes: Routes,
  [target, policy, signal, caller]: Parameters<Egress["connect"]>,
): Promise<Connection> {
  const time = new SharedTime(clock, connectTimeoutMs, signal);
  const dial = (way: Egress, waysLeft: number): Promise<Connection> =>
    time.dial(waysLeft, (ending) => way.connect(target, policy, ending, caller));
  const always = routes.always(target, "tcp");
  if (always) return inTurn(always, dial);
  const around = (cause?: unknown): Promise<Connection> => {
    const ways = routes.aroundBlock(target);
    if (ways.length > 0) return inTurn(ways, dial);
    throw blockedError(blocked?.what, cause);
  };
  if (blocked?.has(target)) return around();
  const fallbacks = routes.fallbacks(target, "tcp");
  try {
    return await dial(direct, 1 + fallbacks.length);
  } catch (error) {
    if (signal.aborted || isSettled(error)) throw error;
    if (await blocked?.learn(target)) return around(error);
    if (!isReachability(error)) throw error;
    return inTurn(fallbacks, dial, error);
  }
}

/** Whether a failure leaves no question about where the target is. */
function isSettled(error: unknown): boolean {
  return ["denied", "name-not-found"].includes(reasonOf(error));
}

function blockedError(what = "blocked", cause: unknown): StreamError {
  const text =
    `Cannot connect: the target is ${what}, which this edge cannot reach by itself. ` +
    "Its operator can name an upstream for that";
  return new StreamError("platform-blocked", text, { cause });
}
