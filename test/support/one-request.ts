import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { readExactly, readToEnd } from "./socks-client.ts";

/** CMD of RFC 1928, and Tor's extensions. */
export const SocksCommand = {
  Connect: 0x01,
  Bind: 0x02,
  UdpAssociate: 0x03,
  Resolve: 0xf0,
  ResolvePtr: 0xf1,
} as const;

/** A host as it stands in a request of SOCKS5: ATYP and what belongs to it. */
export function nameBytes(name: string): Uint8Array {
  const bytes = Buffer.from(name);
  return Uint8Array.of(3, bytes.length, ...bytes);
}

/** ATYP 1 or 4 and the octets. */
export function octetsAsHost(octets: readonly number[]): Uint8Array {
  return Uint8Array.of(octets.length === 4 ? 1 : 4, ...octets);
}

/** REP of one request, whose connection ends with it. */
export async function socks5Reply(
  proxyPort: number,
  command: number,
  host: Uint8Array,
  port: number,
): Promise<number> {
  const socket = await openClient(proxyPort);
  const rep = (await socks5Request(socket, command, host, port)).rep;
  socket.destroy();
  return rep;
}

/** A request on a connection that stays: its REP, and the port that it was told. */
export async function socks5Request(
  socket: Socket,
  command: number,
  host: Uint8Array,
  port: number,
): Promise<{ rep: number; boundPort: number }> {
  socket.write(Uint8Array.of(5, 1, 0));
  await readExactly(socket, 2);
  socket.write(Uint8Array.of(5, command, 0, ...host, port >> 8, port & 0xff));
  const [, rep = -1, , type] = await readExactly(socket, 4);
  const bound = await readExactly(socket, type === 4 ? 18 : 6);
  const [high = 0, low = 0] = bound.slice(-2);
  return { rep, boundPort: (high << 8) | low };
}

/** CD of one SOCKS4 request to an address. */
export function socks4Reply(
  proxyPort: number,
  command: number,
  octets: readonly number[],
  port: number,
): Promise<number> {
  return socks4(proxyPort, [4, command, port >> 8, port & 0xff, ...octets, 0]);
}

/** CD of one SOCKS4a request to a name. */
export function socks4aReply(
  proxyPort: number,
  command: number,
  name: string,
  port: number,
): Promise<number> {
  const head = [4, command, port >> 8, port & 0xff, 0, 0, 0, 1, 0];
  return socks4(proxyPort, [...head, ...Buffer.from(name), 0]);
}

async function socks4(proxyPort: number, request: readonly number[]): Promise<number> {
  const socket = await openClient(proxyPort);
  socket.write(Uint8Array.from(request));
  const [, code = -1] = await readExactly(socket, 8);
  socket.destroy();
  return code;
}

/** Status of one HTTP request, as its first line has it. */
export async function httpStatus(proxyPort: number, line: string): Promise<number> {
  const socket = await openClient(proxyPort);
  socket.write(`${line} HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n\r\n`);
  const answer = (await readToEnd(socket)).toString("latin1");
  socket.destroy();
  return Number(answer.slice(9, 12));
}

export async function openClient(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}
