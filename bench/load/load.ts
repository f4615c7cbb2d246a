import type { ChildProcess } from "node:child_process";
import { type GenericSchema, number, object, type InferOutput } from "valibot";
import type { Reach } from "../subjects/subject.ts";
import { endLoad, hasEnded, type Numbers, readResult, startLoad } from "./load-process.ts";

/** The target serves for one turn of one subject; far longer than a turn takes. */
const TARGET_LIMIT_S = 600;

/** The target of one turn, and the clients that reach it through the proxy under test. */
export class Load {
  readonly #program: string;
  readonly #target: ChildProcess;
  readonly #ports: Numbers;

  private constructor(program: string, target: ChildProcess, ports: Numbers) {
    this.#program = program;
    this.#target = target;
    this.#ports = ports;
  }

  /** Starts the target. Without a proxy port the clients connect to it by `reach`. */
  static async start(program: string, proxy: number | undefined, reach: Reach): Promise<Load> {
    const target = startLoad(program, "serve", { limit: TARGET_LIMIT_S });
    const schema = object({ port: number(), udpPort: number() });
    const { port: control, udpPort: udp } = await readResult(target, schema);
    const port = proxy === undefined ? await reach(control) : control;
    return new Load(program, target, { proxy: proxy ?? 0, target: port, control, udp });
  }

  /** Runs one command to its end and returns what it found out. */
  async run<Schema extends GenericSchema>(
    command: string,
    numbers: Numbers,
    schema: Schema,
  ): Promise<InferOutput<Schema>> {
    return await this.during(command, numbers, schema, (found) => found);
  }

  /** Calls `act` with what the command found out, and only then lets the command end. */
  async during<Schema extends GenericSchema, Result>(
    command: string,
    numbers: Numbers,
    schema: Schema,
    act: (found: InferOutput<Schema>) => Result | Promise<Result>,
  ): Promise<Result> {
    if (hasEnded(this.#target)) throw new Error("Cannot measure: the target has ended");
    const client = startLoad(this.#program, command, { ...this.#ports, ...numbers });
    try {
      return await act(await readResult(client, schema));
    } finally {
      await endLoad(client);
    }
  }

  async stop(): Promise<void> {
    await endLoad(this.#target);
  }
}
