import fc from "fast-check";
import { expect, it } from "vitest";
import { isTopicWithin } from "../../../src/providers/messaging/topic.ts";
import { createTopicIndex } from "../../../src/providers/messaging/topic-index.ts";

const anyPattern = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "*"), { maxLength: 3 }), fc.constantFrom("a", "b", "*", ">"))
  .map(([tokens, last]) => [...tokens, last].join("."));
const anyTopic = fc
  .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 5 })
  .map((tokens) => tokens.join("."));

it("finds what a comparison with each pattern finds, whatever was added and removed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ pattern: anyPattern, value: fc.nat(5), isRemoval: fc.boolean() }), { maxLength: 30 }),
      fc.array(anyTopic, { minLength: 1, maxLength: 5 }),
      (changes, topics) => {
        const index = createTopicIndex<string>();
        const model = new Map<string, string>();
        for (const { pattern, value, isRemoval } of changes) {
          const name = `${pattern} ${value}`;
          if (isRemoval) {
            index.remove(pattern, name);
            model.delete(name);
          } else {
            index.add(pattern, name);
            model.set(name, pattern);
          }
        }
        for (const topic of topics) {
          const expected = [...model].filter(([, pattern]) => isTopicWithin(pattern, topic)).map(([name]) => name);
          expect([...index.matching(topic)].toSorted()).toEqual(expected.toSorted());
        }
      },
    ),
    { numRuns: 1000 },
  );
});
