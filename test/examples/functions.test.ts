import { beforeAll, describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import type { Guest } from "../../src/runtime/runtime.ts";
import { guestStart, testRuntime } from "../runtime/guest-starts.ts";
import { exampleModule } from "./example-guests.ts";

const runtime = testRuntime();
const FUNCTIONS = exampleModule("functions");
const start = (): Promise<Guest> => runtime.start(guestStart(FUNCTIONS));
let shared: Promise<Guest>;
beforeAll(() => {
  shared = start();
});

describe("the example functions", () => {
  it("has the functions that its README lists", async () => {
    expect(await runtime.inspect(FUNCTIONS)).toMatchObject({
      kind: "functions",
      format: "core",
      imports: [],
      exports: ["add", "fib", "mean", "hypotenuse", "divide", "count"],
    });
  });

  it.each<[string, readonly unknown[], readonly unknown[]]>([
    ["add", [2, 3], [5]],
    ["add", [2147483647, 1], [-2147483648]],
    ["fib", [0], ["0"]],
    ["fib", [10], ["55"]],
    ["fib", [92], ["7540113804746346429"]],
    ["mean", [1, 2, 6], [3]],
    ["hypotenuse", [3, 4], [5]],
    ["divide", ["17", "5"], ["3", "2"]],
    ["divide", ["-17", "5"], ["-3", "-2"]],
  ])("answers %s%j with %j", async (name, args, results) => {
    expect(await (await shared).invoke(name, args)).toEqual(results);
  });

  it("counts its own calls as long as the instance lives", async () => {
    const guest = await start();
    expect(await guest.invoke("count", [])).toEqual([1]);
    expect(await guest.invoke("count", [])).toEqual([2]);
    await guest.kill();
    const next = await start();
    expect(await next.invoke("count", [])).toEqual([1]);
    await next.kill();
  });

  it.each<[string, readonly unknown[]]>([
    ["divide", ["1", "0"]],
    ["fib", [93]],
  ])("traps on %s%j, and ends trapped", async (name, args) => {
    const guest = await start();
    await expect(guest.invoke(name, args)).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "trapped" });
  });
});
