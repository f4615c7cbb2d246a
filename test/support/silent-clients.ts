import { connect } from "node:net";

/**
 * A process of its own: opens `count` connections to `port` that say nothing, from several addresses
 * of loopback, and prints "open N" once they are. Then it waits until all have been ended from the
 * far side, and prints "gone N", the number of those that had got nothing but a reset.
 */
const [port = 0, count = 0] = process.argv.slice(2).map(Number);
/** No more at once than the port's backlog has room for. */
const BATCH = 200;
const PER_ADDRESS = 1000;

let opened = 0;
let reset = 0;
let ended = 0;

function open(index: number): Promise<void> {
  const localAddress = `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`;
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  let isReset = false;
  socket.on("error", () => (isReset = socket.bytesRead === 0));
  socket.resume();
  socket.on("close", () => {
    if (isReset) reset++;
    if (++ended === count) process.stdout.write(`gone ${reset}\n`);
  });
  return new Promise((resolve) => {
    socket.once("connect", () => {
      opened++;
      resolve();
    });
    socket.once("close", () => resolve());
  });
}

for (let index = 0; index < count; index += BATCH) {
  const size = Math.min(BATCH, count - index);
  await Promise.all(Array.from({ length: size }, (_, i) => open(index + i)));
}
process.stdout.write(`open ${opened}\n`);
