import { messageOf, reasonOf, StreamError } from "../../protocol/errors.ts";
import type { IncomingStream } from "../../protocol/session.ts";
import { Command } from "../../protocol/wire.ts";
import { serveAssociation } from "./associate.ts";
import { serveBind } from "./bind.ts";
import { serveConnect } from "./connect.ts";
import { serveResolve, serveReverse } from "./resolve.ts";
import type { Tenant } from "../users/users.ts";
import { type Service, type ServiceContext, unsupported } from "./service.ts";

const services = new Map<number, Service>([
  [Command.Connect, serveConnect],
  [Command.Bind, serveBind],
  [Command.UdpAssociate, serveAssociation],
  [Command.Resolve, serveResolve],
  [Command.ResolvePtr, serveReverse],
]);

export interface ServeStreamContext extends Omit<ServiceContext, "tenant"> {
  /** Undefined when the key of the agent is no longer good. */
  readonly tenant: Tenant | undefined;
}

/** Serves a stream of an agent from its OPEN to its end. Never rejects: the agent is told why. */
export async function serveStream(
  incoming: IncomingStream,
  context: ServeStreamContext,
): Promise<void> {
  const { stream, command } = incoming;
  const ended = context.tally.streamBegan(command);
  let leave = (): void => {};
  try {
    const { tenant } = context;
    if (!tenant) throw new StreamError("denied", "The key of the agent has ended");
    const service = services.get(command);
    if (!service) throw unsupported(`command ${command}`);
    leave = tenant.account.enter();
    await service(incoming, { ...context, tenant });
  } catch (error) {
    context.log.debug("A stream failed", { reason: messageOf(error) });
    context.tally.streamFailed(reasonOf(error));
    stream.refuse(reasonOf(error), messageOf(error));
  } finally {
    leave();
    ended();
  }
}
