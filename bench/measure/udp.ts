import { number, object } from "valibot";
import type { Measurement } from "./measurement.ts";

/** So few that no buffer on the way overflows by them alone. */
const IN_FLIGHT = 64;

const result = object({ arrived: number(), lost: number(), seconds: number() });

/** Datagrams of 1,200 bytes: there and back with a bound on those under way, and one way flat out. */
export const udp: Measurement = {
  name: "udp",
  rows: [
    {
      key: "udp-rate",
      topic: "udp",
      label: `UDP of 1,200 bytes there and back, ${IN_FLIGHT} on their way`,
      unit: "/s",
      better: "more",
    },
    { key: "udp-loss", topic: "udp", label: "loss of these", unit: "%", better: "less" },
    {
      key: "udp-flat",
      topic: "udp",
      label: "UDP of 1,200 bytes one way, sent flat out: what arrives",
      unit: "/s",
      better: "more",
    },
    { key: "udp-flat-loss", topic: "udp", label: "loss of those", unit: "%", better: "less" },
  ],
  async run({ load, pace }) {
    const numbers = { warm: pace.warmMs, window: pace.windowMs };
    const paced = await load.run("udp", { ...numbers, inflight: IN_FLIGHT }, result);
    const flat = await load.run("udp", { ...numbers, inflight: 0 }, result);
    return {
      "udp-rate": paced.arrived / paced.seconds,
      "udp-loss": lossOf(paced),
      "udp-flat": flat.arrived / flat.seconds,
      "udp-flat-loss": lossOf(flat),
    };
  },
};

function lossOf({ arrived, lost }: { arrived: number; lost: number }): number {
  return lost === 0 ? 0 : (lost / (arrived + lost)) * 100;
}
