import { expect, it } from "vitest";
import { createPreview1 } from "../../src/runtime/preview1/preview1.ts";
import { PREVIEW1_FUNCTIONS } from "../../src/runtime/preview1-functions.ts";
import { memoryLine } from "./host/memory-line.ts";

it("the names of preview 1 are those of the functions that are there", () => {
  const { imports } = createPreview1({ line: memoryLine(), openHandlesMax: 10 });
  expect(Object.keys(imports).sort()).toEqual([...PREVIEW1_FUNCTIONS].sort());
});
