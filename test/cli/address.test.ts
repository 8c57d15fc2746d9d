import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { baseUrlFromText, resolveAddress } from "../../src/cli/address.ts";
import { configFromText, defaultConfigPath } from "../../src/cli/config-file.ts";
import { withLeadingFlagsMoved } from "../../src/cli/leading-flags.ts";
import { servedUrls } from "../../src/cli/served-urls.ts";

let homeDir: string;
beforeAll(async () => {
  homeDir = await mkdtemp(join(tmpdir(), "wasmatrix-cli-home-"));
  await mkdir(join(homeDir, ".config", "wasmatrix"), { recursive: true });
  await writeFile(
    join(homeDir, ".config", "wasmatrix", "config.json"),
    '{"address": "http://from-file:1", "token": "file-token"}',
  );
  await writeFile(join(homeDir, "other.json"), '{"address": "http://other:1"}');
  await writeFile(join(homeDir, "large.json"), " ".repeat(70_000));
});
afterAll(() => rm(homeDir, { recursive: true, force: true }));

describe("address and token", () => {
  test("come from flags, then environment, then config file, each by itself", async () => {
    const env = { WASMATRIX_ADDRESS: "http://from-env:1", WASMATRIX_TOKEN: "env-token" };
    const flags = { address: "from-flag:1", token: "flag-token" };
    expect(await resolveAddress({ env, homeDir }, flags)).toEqual({ url: "http://from-flag:1", token: "flag-token" });
    expect(await resolveAddress({ env, homeDir }, {})).toEqual({ url: "http://from-env:1", token: "env-token" });
    expect(await resolveAddress({ env: {}, homeDir }, {})).toEqual({ url: "http://from-file:1", token: "file-token" });
    expect(await resolveAddress({ env: { WASMATRIX_ADDRESS: "" }, homeDir }, { token: "t" })).toEqual({
      url: "http://from-file:1",
      token: "t",
    });
    expect(await resolveAddress({ env: {}, homeDir: join(homeDir, "none") }, {})).toEqual({
      url: "http://127.0.0.1:7420",
      token: undefined,
    });
  });

  test("come from the file that is named, or from where XDG_CONFIG_HOME points", async () => {
    expect(await resolveAddress({ env: {}, homeDir }, { clientConfig: join(homeDir, "other.json") })).toEqual({
      url: "http://other:1",
      token: undefined,
    });
    expect(defaultConfigPath({ env: { XDG_CONFIG_HOME: "/xdg" }, homeDir })).toBe("/xdg/wasmatrix/config.json");
    await expect(resolveAddress({ env: {}, homeDir }, { clientConfig: join(homeDir, "large.json") })).rejects.toThrow(
      "larger than 64 KiB",
    );
  });

  test.each(["{", "[]", '{"adress": "x"}', '{"token": 5}', '{"address": ""}'])(
    "of the config %s are refused",
    (text) => {
      expect(() => configFromText(text, "c.json")).toThrow("Cannot read config file c.json");
    },
  );

  test("of a broken config are never quoted", () => {
    expect(() => configFromText('{"token": "secret', "c.json")).not.toThrow("secret");
    expect(() => configFromText('{"token": "secret', "c.json")).toThrow("it is not JSON");
  });

  test("are a base URL, with http for a bare host and without a slash at the end", () => {
    expect(baseUrlFromText("localhost:7420")).toBe("http://localhost:7420");
    expect(baseUrlFromText("https://example.com/wasmatrix/")).toBe("https://example.com/wasmatrix");
    expect(() => baseUrlFromText("http://me:secret@example.com")).toThrow("user name or password");
    expect(() => baseUrlFromText("http://me:secret@example.com")).not.toThrow("secret");
    expect(() => baseUrlFromText("http://example.com/?a=1")).toThrow("query");
  });
});

describe("flags in front of the command", () => {
  test("are moved behind it, values and all", () => {
    expect(withLeadingFlagsMoved(["--address", "x", "--json", "--token=t", "ps", "-a"])).toEqual([
      "ps",
      "--address",
      "x",
      "--json",
      "--token=t",
      "-a",
    ]);
    for (const argv of [["ps", "--json"], ["--help"], ["--json"], ["--json", "--help"], []])
      expect(withLeadingFlagsMoved(argv)).toEqual(argv);
  });
});

describe("the URLs of a name", () => {
  test("are by host on this machine, and by path everywhere", () => {
    expect(servedUrls("http://127.0.0.1:7420", "hello")).toEqual([
      "http://hello.localhost:7420/",
      "http://127.0.0.1:7420/-/hello/",
    ]);
    expect(servedUrls("https://example.com/cp", "hello")).toEqual(["https://example.com/cp/-/hello/"]);
    expect(servedUrls("http://localhost", "hello")[0]).toBe("http://hello.localhost/");
  });
});
