/** How many may be inside at once. */
export interface CrowdLimits {
  readonly max: number;
  /** Of those that come from one place. */
  readonly maxPerPlace: number;
}

/** Counts who is inside, in all and by where they come from. Who is refused takes no place. */
export class Crowd {
  readonly #limits: CrowdLimits;
  readonly #countByPlace = new Map<string, number>();
  #count = 0;

  constructor(limits: CrowdLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Lets one in; undefined when there is no room. What it returns lets it out, once. Who comes from
   * no place counts for the whole only.
   */
  enter(place: string | undefined): (() => void) | undefined {
    const { max, maxPerPlace } = this.#limits;
    if (this.#count >= max) return undefined;
    if (place !== undefined && this.#countOf(place) >= maxPerPlace) return undefined;
    this.#move(place, 1);
    let isInside = true;
    return () => {
      if (isInside) this.#move(place, -1);
      isInside = false;
    };
  }

  #move(place: string | undefined, step: 1 | -1): void {
    this.#count += step;
    if (place === undefined) return;
    const count = this.#countOf(place) + step;
    if (count > 0) this.#countByPlace.set(place, count);
    else this.#countByPlace.delete(place);
  }

  #countOf(place: string): number {
    return this.#countByPlace.get(place) ?? 0;
  }
}
