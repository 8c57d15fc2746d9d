import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TypeTree, typeTrees, valuesOf } from "./arbitrary-type.ts";
import { call, instanceFromWat } from "./component-guest.ts";
import { echoWat } from "./echo-component.ts";
import { jcoEcho } from "./jco-echo.ts";

/** A type and five of its values. */
const typedValues: fc.Arbitrary<{ type: TypeTree; values: unknown[] }> = typeTrees.chain((type) =>
  fc.record({ type: fc.constant(type), values: fc.array(valuesOf(type), { minLength: 5, maxLength: 5 }) }),
);

describe("values of any type", () => {
  it("come to the host as they were given to the guest, and back", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        typedValues,
        fc.constantFrom("utf8", "utf16", "latin1+utf16"),
        async ({ type, values }, encoding) => {
          const seen: unknown[] = [];
          const echo = (x: unknown): unknown => {
            seen.push(x);
            return x;
          };
          const instance = await instanceFromWat(echoWat(type, encoding), {
            "test:echo/host": { functions: { echo } },
          });
          for (const value of values) expect(call(instance, "test:echo/guest#echo", value)).toEqual(value);
          expect(seen).toEqual(values);
        },
      ),
      { numRuns: 250 },
    );
  });

  it("lie in a guest's memory as jco's code puts them there", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(typedValues, async (inner) => {
        const type: TypeTree = { kind: "tuple", items: [inner.type] };
        const values = inner.values.map((value) => [value]);
        const wat = echoWat(type);
        const ours = await instanceFromWat(wat, { "test:echo/host": { functions: { echo: (x: unknown) => x } } });
        const theirs = await jcoEcho(wat, type);
        for (const value of values) {
          call(ours, "test:echo/guest#echo", value);
          theirs.echo(value);
        }
        for (const [from, length] of [
          [1024, 2048],
          [65_536, 65_536],
        ] as const)
          expect(call(ours, "test:echo/guest#peek", from, length)).toEqual(theirs.peek(from, length));
      }),
      { numRuns: 100 },
    );
  });
});
