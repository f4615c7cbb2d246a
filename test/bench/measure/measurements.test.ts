import { describe, expect, it } from "vitest";
import { coursesOf, rowsOf } from "../../../bench/measure/measurements.ts";
import { ORDINARY_TOPICS, QUICK_TOPICS, TOPICS } from "../../../bench/measure/topics.ts";
import { edgesocksNode } from "../../../bench/subjects/edgesocks.ts";
import { microsocks } from "../../../bench/subjects/microsocks.ts";
import { subjects } from "../../../bench/subjects/subjects.ts";

const namesOf = (...args: Parameters<typeof coursesOf>): string[][] =>
  coursesOf(...args).map(({ measurements }) => measurements.map(({ name }) => name));

describe("coursesOf()", () => {
  it("takes what the topics ask for, with a warm-up before what wants warm processes", () => {
    expect(namesOf(["idle", "cpu"], edgesocksNode)).toEqual([["idle", "warm-up", "download"]]);
  });

  it("has no warm-up that nothing comes after", () => {
    expect(namesOf(["idle"], edgesocksNode)).toEqual([["idle"]]);
    expect(namesOf([], edgesocksNode)).toEqual([]);
  });

  it("leaves out what a subject cannot be measured in", () => {
    expect(coursesOf(["link50", "udp", "growth-writes"], microsocks)).toEqual([]);
  });

  it("puts links between the ends only where they are asked for", () => {
    const links = coursesOf(TOPICS, edgesocksNode).map(({ name, link }) => [name, link?.rttMs]);
    expect(links).toEqual([
      ["loopback", undefined],
      ["still", undefined],
      ["link50", 50],
      ["link200", 200],
      ["losses", 50],
      ["resumption", undefined],
      ["growth-sessions", undefined],
      ["growth", undefined],
    ]);
  });

  it("has something to do for every subject", () => {
    for (const subject of subjects)
      expect(coursesOf(TOPICS, subject), subject.name).not.toEqual([]);
  });
});

describe("rowsOf()", () => {
  it("has each key once, and rows for every topic", () => {
    const rows = rowsOf(TOPICS);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    expect(new Set(rows.map(({ topic }) => topic))).toEqual(new Set(TOPICS));
  });

  it("follows the order of the topics", () => {
    const order = rowsOf(TOPICS).map(({ topic }) => TOPICS.indexOf(topic));
    expect(order).toEqual(order.toSorted((left, right) => left - right));
  });
});

describe("topics", () => {
  it("of a quick run are among those of an ordinary one", () => {
    expect(ORDINARY_TOPICS).toEqual(expect.arrayContaining([...QUICK_TOPICS]));
  });
});
