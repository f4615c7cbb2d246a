import { connect } from "node:net";
import { readToEnd } from "./socks-client.ts";

/** A GET with the headers of a WebSocket client, as text to be sent as it is. */
export function upgradeRequest(path: string, token?: string): string {
  const authorization = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${authorization}\r\n`
  );
}

/** A GET of a visitor who wants one page. */
export function pageRequest(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;
}

/** Every byte of the answer until the server ends, less the Date, which nobody chooses. */
export async function askRaw(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(request);
  const answer = (await readToEnd(socket)).toString("latin1");
  return answer.replace(/^Date: [^\r]*\r\n/im, "");
}
