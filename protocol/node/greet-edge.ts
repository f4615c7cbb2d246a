import type { Admission } from "../admission.ts";
import type { Clock } from "../clock.ts";
import { emptyHello, type Hello } from "../hello.ts";
import { Link } from "../link.ts";
import { Session } from "../session.ts";
import { createDial } from "./dial-carrier.ts";

/**
 * Connects to an edge as an agent does, takes its HELLO and leaves: whoever gets one knows that the
 * edge is there, and that it and we hold the same secret.
 *
 * @throws CarrierError, with ERR_ADMISSION when the edge said no; ProtocolError
 */
export async function greetEdge(
  edge: URL,
  admission: Admission,
  clock: Clock,
  signal: AbortSignal,
): Promise<Hello> {
  const open = await createDial(edge, admission)(signal);
  const greeting = Promise.withResolvers<Hello>();
  const link = new Link(
    {
      clock,
      speaksFirst: true,
      hello: () => emptyHello,
      greet: (remote, link) => {
        const session = new Session({
          clock,
          local: emptyHello,
          remote,
          closed: () => {},
        });
        session.attach(link, 1);
        greeting.resolve(remote);
        return session;
      },
      failed: greeting.reject,
    },
    open,
  );
  const cancel = (): void => link.close("The greeting was called off");
  signal.addEventListener("abort", cancel);
  try {
    return await greeting.promise;
  } finally {
    signal.removeEventListener("abort", cancel);
    link.close("The greeting is over");
  }
}
