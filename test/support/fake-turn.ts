import { createHash } from "node:crypto";
import {
  hasIntegrity,
  importIntegrityKey,
  withFingerprint,
  withIntegrity,
} from "../../edge-worker/egress/turn/stun-integrity.ts";
import {
  type Attribute,
  attributeOf,
  decodeStun,
  encodeStun,
  StunAttribute,
  StunClass,
  type StunMessage,
  StunMethod,
} from "../../edge-worker/egress/turn/stun-message.ts";
import {
  decodeText,
  encodeText,
  encodeU32,
  encodeXorAddress,
} from "../../edge-worker/egress/turn/stun-values.ts";
import { TurnDeframer, type TurnFrame } from "../../edge-worker/egress/turn/turn-framing.ts";
import type { Md5, TurnServer } from "../../edge-worker/egress/turn/turn-server.ts";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { FakeChannel } from "./fake-channel.ts";
import { FakeClock } from "./fake-clock.ts";
import { type RecordedLog, recordedLog } from "./log.ts";
import { PendingCrypto } from "./pending-crypto.ts";

export const md5: Md5 = async (bytes) => Uint8Array.from(createHash("md5").update(bytes).digest());

const REALM = "example.org";
export const RELAYED: Address = parseAddress("203.0.113.9", 50_000);

/** The name of a method, for tests to read. */
export function nameOf(method: number): string {
  const names = Object.entries(StunMethod).find(([, number]) => number === method);
  return names?.[0] ?? String(method);
}

/** A TURN server in memory: as a server is unless the test says otherwise. */
export class FakeTurn {
  readonly #crypto = new PendingCrypto();
  readonly clock = new FakeClock();
  readonly log: RecordedLog = recordedLog();
  /** One for each connection, in their order. */
  readonly connections: FakeTurnConnection[] = [];
  /** The error codes that requests of a method get, once for each. */
  readonly refusals: { readonly method: number; readonly code: number }[] = [];
  nonce = "nonce-1";
  lifetimeSeconds = 600;
  /** Methods that get no answer at all. */
  readonly silent = new Set<number>();
  /** Signs its answers with another password. */
  isForged = false;
  /** Why it cannot be reached. */
  failure: Error | undefined;

  readonly server: TurnServer = {
    clock: this.clock,
    log: this.log,
    md5,
    username: "ann",
    password: "a password",
    dial: async () => {
      if (this.failure) throw this.failure;
      const connection = new FakeTurnConnection(this);
      this.connections.push(connection);
      return connection.channel;
    },
  };

  key(password = "a password"): Promise<CryptoKey> {
    const text = `ann:${REALM}:${password}`;
    return md5(new TextEncoder().encode(text)).then(importIntegrityKey);
  }

  /** Lets both sides talk until neither has more to say. */
  async run(): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      await this.#crypto.idle();
      await this.clock.run();
      await this.#crypto.idle();
      for (const connection of this.connections) if (await connection.serve()) idle = 0;
    }
  }

  /** Moves time on in steps, with all answers between them. */
  async advance(milliseconds: number, step = 1000): Promise<void> {
    // What is still being signed sets its timer before time goes on.
    await this.run();
    for (let left = milliseconds; left > 0; left -= step) {
      await this.clock.advance(Math.min(step, left));
      await this.run();
    }
  }

  /** "Method" or "Method code" of each request so far, over all connections. */
  get requests(): string[] {
    return this.connections.flatMap(({ requests }) => requests);
  }
}

export class FakeTurnConnection {
  readonly channel = new FakeChannel();
  readonly requests: string[] = [];
  /** Frames that were no requests: indications and channel data. */
  readonly others: TurnFrame[] = [];
  readonly messages: StunMessage[] = [];
  readonly #turn: FakeTurn;
  #taken = 0;

  constructor(turn: FakeTurn) {
    this.#turn = turn;
  }

  /** Answers what has come; whether anything had. */
  async serve(): Promise<boolean> {
    const deframer = new TurnDeframer();
    deframer.push(this.channel.written.subarray(this.#taken));
    let hasCome = false;
    for (let frame = deframer.next(); frame; frame = deframer.next()) {
      hasCome = true;
      this.#taken += frame.kind === "stun" ? frame.bytes.length : 4 + pad(frame.bytes.length);
      const message = frame.kind === "stun" ? decodeStun(frame.bytes) : undefined;
      if (message?.class === StunClass.Request) await this.#answer(frame.bytes, message);
      else this.others.push(frame);
    }
    return hasCome;
  }

  /** The server sends an indication by itself. */
  indicate(method: number, attributesFor: (transactionId: Uint8Array) => Attribute[]): void {
    const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i);
    const attributes = attributesFor(transactionId);
    this.channel.arrive(
      encodeStun({ class: StunClass.Indication, method, transactionId, attributes }),
    );
  }

  async #answer(bytes: Uint8Array, message: StunMessage): Promise<void> {
    const { method } = message;
    this.messages.push(message);
    const code = await this.#refusalOf(bytes, message);
    this.requests.push(`${nameOf(method)}${code === 0 ? "" : ` ${code}`}`);
    if (this.#turn.silent.has(method)) return;
    const messageClass = code === 0 ? StunClass.Success : StunClass.Error;
    const attributes = code === 0 ? this.#found(message) : this.#reason(code);
    const response = encodeStun({ ...message, class: messageClass, attributes });
    const key = await this.#turn.key(this.#turn.isForged ? "another" : undefined);
    const signed = code === 0 ? await withIntegrity(response, key) : response;
    this.channel.arrive(withFingerprint(signed));
  }

  async #refusalOf(bytes: Uint8Array, message: StunMessage): Promise<number> {
    const nonce = attributeOf(message, StunAttribute.Nonce);
    if (!nonce) return 401;
    if (decodeText(nonce) !== this.#turn.nonce) return 438;
    if (!(await hasIntegrity(bytes, message, await this.#turn.key()))) return 401;
    const { refusals } = this.#turn;
    const index = refusals.findIndex(({ method }) => method === message.method);
    return index < 0 ? 0 : (refusals.splice(index, 1)[0]?.code ?? 0);
  }

  #reason(code: number): Attribute[] {
    const value = Uint8Array.of(0, 0, Math.floor(code / 100), code % 100, ...encodeText("No"));
    return [
      { type: StunAttribute.ErrorCode, value },
      { type: StunAttribute.Realm, value: encodeText(REALM) },
      { type: StunAttribute.Nonce, value: encodeText(this.#turn.nonce) },
    ];
  }

  #found({ method, transactionId, attributes }: StunMessage): Attribute[] {
    const asked = attributeOf({ attributes }, StunAttribute.Lifetime);
    const lifetime = {
      type: StunAttribute.Lifetime,
      value: asked ?? encodeU32(this.#turn.lifetimeSeconds),
    };
    if (method === StunMethod.Refresh) return [lifetime];
    if (method !== StunMethod.Allocate) return [];
    const value = encodeXorAddress(RELAYED, transactionId);
    return [{ type: StunAttribute.XorRelayedAddress, value }, lifetime];
  }
}

function pad(length: number): number {
  return Math.ceil(length / 4) * 4;
}
