import { createHash } from "node:crypto";
import { getEventListeners, once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { createDial, roleTo } from "../../../protocol/node/dial-carrier.ts";
import { Admission, Keyring, bearerOf } from "../../../protocol/admission.ts";
import { CarrierError } from "../../../protocol/errors.ts";
import { startCommand } from "../../support/command.ts";
import { hex } from "../../support/hex.ts";
import { closedPort } from "../../support/target.ts";

const SECRET = "a secret long enough";
const admission = new Admission("test", SECRET);
const keyring = new Keyring([{ id: "test", secret: SECRET, expiresAt: Infinity }]);
const servers: Server[] = [];

/** An HTTP server at loopback, and the URL at which an agent would dial it. */
async function startServer(onUpgrade: (request: IncomingMessage, socket: Socket) => void) {
  const server = createServer();
  servers.push(server);
  server.on("upgrade", (request, socket) => onUpgrade(request, socket as Socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { server, url: new URL(`ws://127.0.0.1:${port}/some/path?query`) };
}

/** Answers an Upgrade request by hand, so that `tail` lies in the same segment. */
function accept({ headers }: IncomingMessage, socket: Socket, tail: Uint8Array): void {
  const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${createHash("sha1").update(key).digest("base64")}\r\n\r\n`;
  socket.on("error", () => {});
  socket.write(Buffer.concat([Buffer.from(answer), tail]));
}

const answer = (status: string) => (_request: IncomingMessage, socket: Socket) =>
  void socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);

const signal = (): AbortSignal => new AbortController().signal;

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

describe("roleTo()", () => {
  it.each([
    ["wss:", "192.0.2.1"],
    ["wss:", undefined],
    ["ws:", "127.0.0.1"],
    ["ws:", "127.1.2.3"],
    ["ws:", "::ffff:127.0.0.1"],
    ["ws:", "::1"],
  ])("masks with zeroes where nobody on the way can read: %s to %s [M-75]", (protocol, address) => {
    expect(roleTo(protocol, address)).toBe("client with a zero mask");
  });

  it.each([
    "192.0.2.1",
    "10.0.0.1",
    "12.7.0.1",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "::127",
    undefined,
  ])("masks at random over plain ws: to %s [M-75]", (address) => {
    expect(roleTo("ws:", address)).toBe("client");
  });
});

describe("createDial()", () => {
  it("opens a carrier that brings messages both ways", async () => {
    const { server, url } = await startServer(() => {});
    const sockets = new WebSocketServer({ server });
    const connected = once(sockets, "connection");
    const open = await createDial(url, admission)(signal());
    const [atEdge] = (await connected) as [WebSocket];
    const received = Promise.withResolvers<Uint8Array>();
    const closed = Promise.withResolvers<number>();
    const carrier = open({ message: received.resolve, closed: closed.resolve });
    const sent = once(atEdge, "message");
    carrier.send(hex("01 02 03"), () => {});
    atEdge.send(hex("04 05 06"));
    expect(new Uint8Array((await sent)[0] as Buffer)).toEqual(hex("01 02 03"));
    expect(await received.promise).toEqual(hex("04 05 06"));
    carrier.close(1000, "");
    expect(await closed.promise).toBe(1000);
  });

  it("sends a fresh token for the host and path, and nothing that tells of its kind", async () => {
    const requests: IncomingMessage[] = [];
    const { url } = await startServer((request, socket) => {
      requests.push(request);
      answer("404 Not Found")(request, socket);
    });
    const dial = createDial(url, admission);
    await dial(signal()).catch(() => {});
    await dial(signal()).catch(() => {});
    const tokens = requests.map(({ headers }) => bearerOf(headers.authorization));
    const place = { host: "127.0.0.1", path: "/some/path" };
    for (const token of tokens) {
      expect(await keyring.check(token, place, Date.now())).toMatchObject({ keyId: "test" });
    }
    expect(tokens[0]).not.toBe(tokens[1]);
    expect(requests[0]?.headers["sec-websocket-protocol"]).toBeUndefined();
    expect(requests[0]?.headers["sec-websocket-extensions"]).toBeUndefined();
    expect(JSON.stringify(requests[0]?.rawHeaders)).not.toContain(SECRET);
  });

  it.each(["404 Not Found", "403 Forbidden", "200 OK"])(
    "rejects with ERR_ADMISSION when the edge answers %s",
    async (status) => {
      const { url } = await startServer(answer(status));
      const dialling = createDial(url, admission)(signal());
      await expect(dialling).rejects.toBeInstanceOf(CarrierError);
      await expect(dialling).rejects.toMatchObject({
        code: "ERR_ADMISSION",
        message: expect.stringContaining(status.slice(0, 3)) as string,
      });
    },
  );

  it("rejects with ERR_CARRIER_LOST when nothing listens", async () => {
    const dialling = createDial(
      new URL(`ws://127.0.0.1:${await closedPort()}/`),
      admission,
    )(signal());
    await expect(dialling).rejects.toBeInstanceOf(CarrierError);
    await expect(dialling).rejects.toMatchObject({
      code: "ERR_CARRIER_LOST",
      message: expect.stringContaining("ECONNREFUSED") as string,
    });
  });

  it("rejects with ERR_CARRIER_LOST when the edge hangs up", async () => {
    const { url } = await startServer((_request, socket) => socket.destroy());
    const dialling = createDial(url, admission)(signal());
    await expect(dialling).rejects.toMatchObject({ code: "ERR_CARRIER_LOST" });
  });

  it("gives up when its signal aborts, and closes the connection", async () => {
    const ending = new AbortController();
    const closed = Promise.withResolvers<void>();
    const { url } = await startServer((_request, socket) => {
      socket.once("end", () => closed.resolve(void socket.end()));
      socket.resume();
      ending.abort();
    });
    const dialling = createDial(url, admission)(ending.signal);
    await expect(dialling).rejects.toMatchObject({ code: "ERR_CARRIER_LOST" });
    await closed.promise;
  });

  it("does not dial at all for a signal that has aborted", async () => {
    const { server, url } = await startServer(answer("404 Not Found"));
    let connections = 0;
    server.on("connection", () => connections++);
    const dialling = createDial(url, admission)(AbortSignal.abort());
    await expect(dialling).rejects.toBeDefined();
    expect(connections).toBe(0);
  });

  it.each([
    ["a refusal", answer("404 Not Found")],
    ["a lost connection", (_request: IncomingMessage, socket: Socket) => void socket.destroy()],
    [
      "success",
      (request: IncomingMessage, socket: Socket) => accept(request, socket, hex("88 00")),
    ],
  ])("leaves no listener on its signal after %s", async (_what, onUpgrade) => {
    const { url } = await startServer(onUpgrade);
    const lasting = signal();
    const open = await createDial(url, admission)(lasting).catch(() => undefined);
    await new Promise<void>((closed) => {
      if (open) open({ message: () => {}, closed: () => closed() });
      else closed();
    });
    expect(getEventListeners(lasting, "abort")).toHaveLength(0);
  });

  it("takes no harm from an invalid frame right behind the 101", async () => {
    // In a process of its own: what goes wrong here is not an error that anybody could catch.
    const left = Promise.withResolvers<void>();
    const { url } = await startServer((request, socket) => {
      accept(request, socket, hex("ff ff 01 02 03"));
      socket.once("end", () => left.resolve(void socket.end()));
      socket.resume();
    });
    const flags = ["--listen", "127.0.0.1:0", "--edge", url.href];
    const agent = await startCommand(["agent", ...flags], { EDGESOCKS_SECRET: SECRET });
    await left.promise;
    expect(await agent.stop()).toBe(0);
  });
});
