import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTokenCheck, tokenFromAuthorization } from "../../src/rpc/bearer-token.ts";

describe("a token check", () => {
  test("accepts the token and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (token, presented) => {
        expect(await createTokenCheck(token)(presented)).toBe(token === presented);
        expect(await createTokenCheck(token)(token)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("refuses a request without a token, also where the token is empty", async () => {
    expect(await createTokenCheck("")(null)).toBe(false);
  });
});

describe("an Authorization header", () => {
  test.each([
    ["Bearer abc", "abc"],
    ["bearer abc", "abc"],
    ["Basic abc", null],
    ["Bearer", null],
    ["Bearer a b", null],
    [null, null],
  ])("%s carries the token %s", (header, token) => {
    expect(tokenFromAuthorization(header)).toBe(token);
  });
});
