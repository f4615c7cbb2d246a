import { UNSPECIFIED } from "../../protocol/address.ts";
import { type Service, unsupported } from "./service.ts";

/** UDP ASSOCIATE: datagrams go out and come back for as long as the agent keeps the stream. */
export const serveAssociation: Service = async ({ stream }, { egress, tally, tenant }) => {
  if (!egress.associate) throw unsupported("UDP");
  const { account } = tenant;
  const association = await egress.associate(tenant.policyFor("udp"), (from, bytes) => {
    if (!account.passDatagram("down", bytes.length)) return;
    if (!stream.sendDatagram(from, bytes)) tally.datagramsDropped++;
  });
  try {
    stream.onDatagram((to, bytes) => {
      if (account.passDatagram("up", bytes.length)) association.send(to, bytes);
    });
    stream.confirm(UNSPECIFIED);
    // The stream itself carries nothing: its end is the end of the association.
    while ((await stream.read()) !== null);
    await stream.end();
  } finally {
    association.close();
    tally.datagramsDropped += association.dropped;
  }
};
