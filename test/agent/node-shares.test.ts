import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { nodeShares } from "../../src/agent/node-shares.ts";
import { Reason } from "../../src/fault.ts";

const dir = mkdtempSync(join(tmpdir(), "shares-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, "data"));
writeFileSync(join(dir, "file"), "");

const invalid = (text: string) =>
  expect.objectContaining({ reason: Reason.INVALID_REQUEST, message: expect.stringContaining(text) });
const share = (folders: readonly string[], envNames: readonly string[] = []) =>
  nodeShares({ folders, envNames, env: { LANG: "C", WASMATRIX_TOKEN: "secret" } });

describe("what a node shares", () => {
  test("is what it was told, once each", () => {
    const shares = share([join(dir, "data"), `${join(dir, "data")}/`], ["LANG", "LANG", "UNSET"]);
    expect(shares.sharedFolders).toEqual([join(dir, "data")]);
    expect(shares.sharedEnv).toEqual({ LANG: "C", UNSET: undefined });
    expect(shares.realPathOf(join(dir, "missing"))).toBeUndefined();
    expect(share([])).toMatchObject({ sharedFolders: [], sharedEnv: {} });
  });

  test("is refused where it is no folder of this machine", () => {
    expect(() => share([join(dir, "file")])).toThrow(invalid("it is not a folder on this machine"));
    expect(() => share([join(dir, "missing")])).toThrow(invalid("it is not a folder on this machine"));
    expect(() => share(["data"])).toThrow(invalid("is not absolute"));
    expect(() => share([`${dir}/../x`])).toThrow(invalid(". or .."));
  });

  test("never is a setting of our own, however it is written, nor what is no name", () => {
    expect(() => share([], ["WASMATRIX_TOKEN"])).toThrow(invalid("settings of Wasmatrix itself"));
    expect(() => share([], ["wasmatrix_token"])).toThrow(invalid("settings of Wasmatrix itself"));
    expect(() => share([], ["*"])).toThrow(invalid("without =, *"));
    expect(() => share([], ["A=B"])).toThrow(invalid("without =, *"));
  });

  test("is bounded", () => {
    const names = Array.from({ length: 256 }, (_, index) => `V${index}`);
    expect(Object.keys(share([], names).sharedEnv)).toHaveLength(256);
    expect(() => share([], [...names, "ONE_MORE"])).toThrow(invalid("at most 256 can be shared (got 257)"));
    expect(() => share(Array.from({ length: 65 }, (_, index) => `/d${index}`))).toThrow(invalid("at most 64"));
  });
});
