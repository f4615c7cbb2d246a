import { once } from "node:events";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Departures } from "../../../edge-worker/node/departures.ts";

async function close(socket: Socket): Promise<void> {
  socket.destroy();
  await once(socket, "close");
}

describe("Departures", () => {
  it("tells everybody when the connection ends", async () => {
    const departures = new Departures();
    const socket = new Socket();
    const left: string[] = [];
    departures.add(socket, () => left.push("one"));
    departures.add(socket, () => left.push("two"));
    await close(socket);
    expect(left).toEqual(["one", "two"]);
  });

  it("goes along with a connection that another socket takes over", async () => {
    const departures = new Departures();
    const [first, next] = [new Socket(), new Socket()];
    const left: string[] = [];
    departures.add(first, () => left.push("gone"));
    departures.move(first, next);
    await close(first);
    expect(left).toEqual([]);
    await close(next);
    expect(left).toEqual(["gone"]);
  });

  it("does nothing for a socket that nobody counts, or that stays", async () => {
    const departures = new Departures();
    const [first, next] = [new Socket(), new Socket()];
    const left: string[] = [];
    departures.move(first, next);
    departures.add(next, () => left.push("gone"));
    departures.move(next, next);
    await close(next);
    expect(left).toEqual(["gone"]);
  });
});
