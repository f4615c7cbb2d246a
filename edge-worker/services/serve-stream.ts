import { messageOf, reasonOf } from "../../protocol/errors.ts";
import type { IncomingStream } from "../../protocol/session.ts";
import { Command } from "../../protocol/wire.ts";
import { serveAssociation } from "./associate.ts";
import { serveBind } from "./bind.ts";
import { serveConnect } from "./connect.ts";
import { serveResolve, serveReverse } from "./resolve.ts";
import { type Service, type ServiceContext, unsupported } from "./service.ts";

const services = new Map<number, Service>([
  [Command.Connect, serveConnect],
  [Command.Bind, serveBind],
  [Command.UdpAssociate, serveAssociation],
  [Command.Resolve, serveResolve],
  [Command.ResolvePtr, serveReverse],
]);

/** Serves a stream of an agent from its OPEN to its end. Never rejects: the agent is told why. */
export async function serveStream(
  incoming: IncomingStream,
  context: ServiceContext,
): Promise<void> {
  const { stream, command } = incoming;
  try {
    const service = services.get(command);
    if (!service) throw unsupported(`command ${command}`);
    await service(incoming, context);
  } catch (error) {
    context.log.debug("A stream failed", { reason: messageOf(error) });
    stream.refuse(reasonOf(error), messageOf(error));
  }
}
