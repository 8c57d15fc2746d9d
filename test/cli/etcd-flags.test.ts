import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { etcdOptionsFromFlags, urlsFromText, type EtcdFlags } from "../../src/cli/etcd-flags.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { createCapturedIo } from "./captured-io.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wasmatrix-etcd-flags-"));
  writeFileSync(join(folder, "password"), "secret\n");
  for (const name of ["ca", "cert", "key"]) writeFileSync(join(folder, `${name}.pem`), name);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function optionsOf(flags: EtcdFlags, env: Record<string, string> = {}): ReturnType<typeof etcdOptionsFromFlags> {
  return etcdOptionsFromFlags(createCapturedIo({ workDir: folder, env }).io, flags);
}

const HTTP = ["http://127.0.0.1:2379"];
const HTTPS = ["https://etcd.example:2379"];

describe("how etcd is reached", () => {
  test("is not said by default; flags come before the environment", async () => {
    expect(await optionsOf({})).toBeUndefined();
    expect(await optionsOf({}, { WASMATRIX_ETCD: "a:1,http://b:2" })).toEqual({
      endpoints: ["http://a:1", "http://b:2"],
    });
    expect(await optionsOf({ etcd: HTTP }, { WASMATRIX_ETCD: "a:1" })).toEqual({ endpoints: HTTP });
  });

  test("takes user and password, without the end of the password file's line", async () => {
    expect(await optionsOf({ etcd: HTTP, etcdUser: "root", etcdPasswordFile: "password" })).toEqual({
      endpoints: HTTP,
      user: { name: "root", password: "secret" },
    });
  });

  test("takes certificates from files", async () => {
    const files = { etcdCa: "ca.pem", etcdCert: "cert.pem", etcdKey: "key.pem" };
    expect(await optionsOf({ etcd: HTTPS, ...files })).toEqual({
      endpoints: HTTPS,
      tls: { ca: Buffer.from("ca"), cert: Buffer.from("cert"), key: Buffer.from("key") },
    });
    expect(await optionsOf({ etcd: HTTPS, etcdCa: "ca.pem" })).toMatchObject({ tls: { ca: Buffer.from("ca") } });
  });

  test.each<[EtcdFlags, string]>([
    [{ etcdUser: "root" }, "where it is"],
    [{ etcd: HTTP, etcdUser: "root" }, "a user needs a password"],
    [{ etcd: HTTP, etcdPasswordFile: "password" }, "a user needs a password"],
    [{ etcd: HTTPS, etcdCa: "ca.pem", etcdCert: "cert.pem" }, "a certificate needs its key"],
    [{ etcd: HTTPS, etcdCert: "cert.pem", etcdKey: "key.pem" }, "who is trusted"],
    [{ etcd: HTTP, etcdCa: "ca.pem" }, "no use for http"],
    [{ etcd: HTTPS, etcdCa: "none.pem" }, "there is no such file"],
  ])("%j is a mistake", async (flags, problem) => {
    await expect(optionsOf(flags)).rejects.toThrow(problem);
    await expect(optionsOf(flags)).rejects.toThrow(UsageError);
  });

  test("never shows a URL with a password", async () => {
    await expect(optionsOf({}, { WASMATRIX_ETCD: "http://u:p4ss@h:1" })).rejects.toThrow(
      /^(?!.*p4ss)Cannot use WASMATRIX_ETCD/,
    );
  });
});

test("lists of URLs are separated by commas, with spaces or without, and have no gaps", () => {
  expect(urlsFromText("a:1, https://b:2/")).toEqual(["http://a:1", "https://b:2"]);
  for (const text of ["", "a:1,", ",a:1", "a:1,,b:2"]) expect(() => urlsFromText(text)).toThrow(UsageError);
});
