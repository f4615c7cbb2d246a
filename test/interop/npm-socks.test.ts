import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import { startEcho, startUdpTarget } from "../support/echo-target.ts";
import { closedPort } from "../support/target.ts";
import { clients, missingFor } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient, startGuarded, USER } from "./describe-client.ts";

const BODY = randomBytes(1_000_000);

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface Options {
  readonly proxy: Endpoint & { type: 4 | 5; userId?: string; password?: string };
  readonly command: "connect" | "bind" | "associate";
  readonly destination: Endpoint;
}

interface Event {
  readonly socket: Socket;
  readonly remoteHost: Endpoint;
}

/** As much of the package as is used, for a checkout that does not have it. */
interface SocksModule {
  readonly SocksClient: {
    new (options: Options): {
      connect(): void;
      on(event: "bound" | "established", listener: (event: Event) => void): unknown;
      on(event: "error", listener: (error: Error) => void): unknown;
    };
    createConnection(options: Options): Promise<Event>;
    createUDPFrame(frame: { remoteHost: Endpoint; data: Buffer }): Buffer;
    parseUDPFrame(data: Buffer): { remoteHost: Endpoint; data: Buffer };
  };
}

const WAYS: readonly (readonly [Feature, 4 | 5, string])[] = [
  ["SOCKS4", 4, "127.0.0.1"],
  ["SOCKS4a", 4, "localhost"],
  ["SOCKS5", 5, "127.0.0.1"],
  ["SOCKS5, name", 5, "localhost"],
];

const name: string = clients.npmSocks.npm;
const { SocksClient } =
  missingFor(clients.npmSocks) === undefined
    ? ((await import(name)) as SocksModule)
    : // Nothing asks for it: the tests skip.
      ({} as SocksModule);

describeClient(clients.npmSocks, ["node"], ({ edge, port, check }) => {
  const proxyOf = (type: 4 | 5) => ({ host: "127.0.0.1", port: port(), type });

  for (const [feature, type, host] of WAYS) {
    check(feature, "CONNECT, and 1 MB there and back, half-closed", async () => {
      const destination = { host, port: await startEcho() };
      await expectEcho({ proxy: proxyOf(type), command: "connect", destination });
    });
  }

  check("password", "the right one, and a wrong one", async () => {
    const destination = { host: "127.0.0.1", port: await startEcho() };
    const proxy = { ...proxyOf(5), port: await startGuarded(edge), userId: USER.name };
    const right = { ...proxy, password: USER.password };
    await expectEcho({ proxy: right, command: "connect", destination });
    const wrong = { ...proxy, password: "wrong" };
    const refused = SocksClient.createConnection({ proxy: wrong, command: "connect", destination });
    await expect(refused).rejects.toThrow("Socks5 Authentication failed");
  });

  check("failures", "SOCKS5: refused, no such name, denied", async () => {
    const expected = [
      ["127.0.0.1", await closedPort(), "ConnectionRefused"],
      ["missing.invalid", 80, "HostUnreachable"],
      ["127.0.0.1", 25, "NotAllowed"],
    ] as const;
    for (const [host, port, reply] of expected) {
      const options = {
        proxy: proxyOf(5),
        command: "connect",
        destination: { host, port },
      } as const;
      await expect(SocksClient.createConnection(options)).rejects.toThrow(reply);
    }
  });

  for (const type of [4, 5] as const) {
    check("BIND", `SOCKS${type}: a peer connects, bytes go both ways`, async () => {
      const destination = { host: "127.0.0.1", port: 1 };
      const client = new SocksClient({ proxy: proxyOf(type), command: "bind", destination });
      const bound = Promise.withResolvers<Event>();
      const established = Promise.withResolvers<Event>();
      client.on("bound", bound.resolve);
      client.on("established", established.resolve);
      client.on("error", bound.reject);
      client.connect();
      const peer = connect({ ...(await bound.promise).remoteHost });
      const { socket, remoteHost } = await established.promise;
      expect(remoteHost).toMatchObject({ host: "127.0.0.1", port: peer.localPort });
      const back = buffer(peer);
      socket.resume();
      socket.pipe(socket);
      peer.end(BODY);
      expect(BODY.equals(await back)).toBe(true);
    });
  }

  check("UDP", "a datagram and its answer", async () => {
    const target = await startUdpTarget((request) => Buffer.concat([request, request]));
    const remoteHost = { host: "127.0.0.1", port: target };
    const destination = { host: "0.0.0.0", port: 0 };
    const established = Promise.withResolvers<Event>();
    const client = new SocksClient({ proxy: proxyOf(5), command: "associate", destination });
    client.on("established", established.resolve);
    client.on("error", established.reject);
    client.connect();
    const relay = await established.promise;
    onTestFinished(() => void relay.socket.destroy());
    const socket = createSocket("udp4");
    onTestFinished(() => void socket.close());
    const frame = SocksClient.createUDPFrame({ remoteHost, data: Buffer.from("twice") });
    socket.send(frame, relay.remoteHost.port, relay.remoteHost.host);
    const [answer] = (await once(socket, "message")) as [Buffer];
    const { data, remoteHost: sender } = SocksClient.parseUDPFrame(answer);
    expect(data.toString()).toBe("twicetwice");
    expect(sender).toMatchObject(remoteHost);
  });

  async function expectEcho(options: Options): Promise<void> {
    const { socket } = await SocksClient.createConnection(options);
    const back = buffer(socket);
    socket.end(BODY);
    expect(BODY.equals(await back)).toBe(true);
  }
});
