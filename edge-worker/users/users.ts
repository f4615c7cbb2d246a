import type { Clock } from "../../protocol/clock.ts";
import { createPolicy, type Policy } from "../policy/policy.ts";
import type { Protocol } from "../policy/rule.ts";
import type { Access } from "./access.ts";
import { Account } from "./account.ts";
import type { UsageStore } from "./usage.ts";
import type { User } from "./user.ts";

export interface UsersOptions extends Access {
  readonly allowPrivate: boolean;
  readonly clock: Clock;
  /** Milliseconds of the Unix epoch. */
  readonly wallNow: () => number;
  readonly store: UsageStore;
}

/** A user as the services of the edge see it. */
export interface Tenant {
  readonly account: Account;
  readonly expiresAt: number;
  readonly policyFor: (protocol: Protocol) => Policy;
}

/** The users of an edge. Their settings may change while their streams go on. */
export class Users {
  readonly #options: UsersOptions;
  readonly #accounts = new Map<string, Account>();
  #tenants: ReadonlyMap<string, Tenant> = new Map();

  constructor(options: UsersOptions) {
    this.#options = options;
    this.replace(options);
  }

  /** Takes other settings. What a user has used so far counts on, also when it comes back later. */
  replace({ users, rules }: Access): void {
    const { allowPrivate } = this.#options;
    this.#tenants = new Map(
      users.map((user) => {
        const all = { allowPrivate, rules: [...user.rules, ...rules] };
        const policyFor = (protocol: Protocol): Policy => createPolicy(all, user.id, protocol);
        const { expiresAt } = user;
        return [user.id, { account: this.#accountOf(user), expiresAt, policyFor }];
      }),
    );
  }

  /** Undefined for a user that does not exist, any more, or whose key has expired. */
  find(id: string): Tenant | undefined {
    const tenant = this.#tenants.get(id);
    return tenant && this.#options.wallNow() < tenant.expiresAt ? tenant : undefined;
  }

  /** Writes down what everybody has used. */
  save(): void {
    for (const account of this.#accounts.values()) account.save();
  }

  #accountOf({ id, limits }: User): Account {
    const known = this.#accounts.get(id);
    if (known) {
      known.limits = limits;
      return known;
    }
    const { clock, wallNow, store } = this.#options;
    const account = new Account({ user: id, limits, clock, wallNow, store });
    this.#accounts.set(id, account);
    return account;
  }
}
