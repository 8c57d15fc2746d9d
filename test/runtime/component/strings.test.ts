import { describe, expect, it } from "vitest";
import { call, instanceFromWat } from "./component-guest.ts";

/** A guest that passes on to its host whatever pointer and length it is told, and gives back the bytes that it was passed. */
function textWat(encoding: string): string {
  const options = `(memory (core memory $memory "memory")) (realloc (core func $memory "realloc")) string-encoding=${encoding}`;
  return `(component
    (import "test:text/host" (instance $host
      (export "say" (func (param "text" string)))
      (export "numbers" (func (param "list" (list u32))))))
    (core module $Memory
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256)))
    (core instance $memory (instantiate $Memory))
    (core func $say (canon lower (func $host "say") ${options}))
    (core func $numbers (canon lower (func $host "numbers") ${options}))
    (core module $Main
      (import "h" "say" (func $say (param i32 i32)))
      (import "h" "numbers" (func $numbers (param i32 i32)))
      (import "m" "memory" (memory 1))
      (func (export "say") (param i32 i32) (call $say (local.get 0) (local.get 1)))
      (func (export "numbers") (param i32 i32) (call $numbers (local.get 0) (local.get 1)))
      (func (export "write") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
      (func (export "given") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))
    (core instance $main (instantiate $Main
      (with "m" (instance $memory))
      (with "h" (instance (export "say" (func $say)) (export "numbers" (func $numbers))))))
    (func (export "say") (param "ptr" u32) (param "length" u32) (canon lift (core func $main "say")))
    (func (export "numbers") (param "ptr" u32) (param "length" u32) (canon lift (core func $main "numbers")))
    (func (export "write") (param "at" u32) (param "byte" u8) (canon lift (core func $main "write")))
    (func (export "given") (param "text" string) (result (list u8)) (canon lift (core func $main "given") ${options}))
    (func (export "length") (param "text" string) (result (tuple u32 u32)) (canon lift (core func $main "given") ${options})))`;
}

async function guestOf(encoding: string): Promise<{
  said: string[];
  say(bytes: number[], at: number, length: number): void;
  run(name: string, ...values: unknown[]): unknown;
}> {
  const said: string[] = [];
  const guest = await instanceFromWat(textWat(encoding), {
    "test:text/host": { functions: { say: (text: string) => void said.push(text), numbers: () => undefined } },
  });
  return {
    said,
    run: (name, ...values) => call(guest, name, ...values),
    say(bytes, at, length) {
      for (const [index, byte] of bytes.entries()) call(guest, "write", at + index, byte);
      call(guest, "say", at, length);
    },
  };
}

describe("text from a guest", () => {
  it.each([
    ["utf8", [0x68, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80], 7, "hé😀"],
    ["utf8", [0xef, 0xbb, 0xbf, 0x61], 4, "\uFEFFa"],
    ["utf16", [0x68, 0, 0xe9, 0, 0x3d, 0xd8, 0, 0xde], 4, "hé😀"],
    ["latin1+utf16", [0x68, 0xe9], 2, "hé"],
    ["latin1+utf16", [0x68, 0, 0x3d, 0xd8, 0, 0xde], 0x80000003, "h😀"],
  ])("is read as %s", async (encoding, bytes, length, text) => {
    const guest = await guestOf(encoding);
    guest.say(bytes, 1024, length);
    expect(guest.said).toEqual([text]);
  });

  it("may be long, and up to the very end of its memory", async () => {
    const guest = await guestOf("utf8");
    guest.say([0x61], 65_535, 1);
    guest.run("say", 1024, 10_000);
    guest.run("say", 65_536, 0);
    expect(guest.said).toEqual(["a", "\0".repeat(10_000), ""]);
  });

  it.each([
    ["utf8", [0xff], 1, "a string is not UTF-8"],
    ["utf8", [0xed, 0xa0, 0x80], 3, "a string is not UTF-8"],
    ["utf8", [0xc3], 1, "a string is not UTF-8"],
    ["utf16", [0x3d, 0xd8], 1, "a string is not UTF-16"],
    ["latin1+utf16", [0, 0xde], 0x80000001, "a string is not UTF-16"],
  ])("traps where it is no %s", async (encoding, bytes, length, problem) => {
    const guest = await guestOf(encoding);
    expect(() => guest.say(bytes, 1024, length)).toThrow(problem);
  });

  it.each([
    ["utf8", 65_536, 1, "1 bytes at 65536 lie outside its memory"],
    ["utf8", 4_294_967_295, 1, "lie outside its memory"],
    ["utf8", 0, 65_537, "lie outside its memory"],
    ["utf8", 0, 0x10000000, "a string has 268435456 bytes"],
    ["utf16", 1025, 1, "address 1025 is not a multiple of 2"],
    ["utf16", 0, 0x80000000, "a string has 4294967296 bytes"],
    ["latin1+utf16", 1025, 1, "address 1025 is not a multiple of 2"],
  ])("traps where %s at %d of length %d cannot be", async (encoding, at, length, problem) => {
    const guest = await guestOf(encoding);
    expect(() => guest.run("say", at, length)).toThrow(problem);
  });

  it.each([
    [65_536, 1, "lie outside its memory"],
    [1026, 1, "address 1026 is not a multiple of 4"],
    [0, 0x40000000, "a list has 4294967296 bytes"],
  ])("is like a list: at %d of length %d it traps", async (at, length, problem) => {
    const guest = await guestOf("utf8");
    guest.run("numbers", 1024, 10);
    expect(() => guest.run("numbers", at, length)).toThrow(problem);
  });
});

describe("text for a guest", () => {
  it.each([
    ["utf8", "hé😀", [0x68, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]],
    ["utf8", "half \uD83D", [...Buffer.from("half \uFFFD")]],
    ["latin1+utf16", "hé", [0x68, 0xe9]],
  ])("is written as %s", async (encoding, text, bytes) => {
    const guest = await guestOf(encoding);
    expect(guest.run("given", text)).toEqual(Uint8Array.from(bytes));
  });

  it("has its length in units of UTF-16 where it is that", async () => {
    expect((await guestOf("utf16")).run("length", "h😀\uD83D")).toEqual([256, 4]);
    expect((await guestOf("latin1+utf16")).run("length", "h😀")).toEqual([256, 0x80000003]);
    expect((await guestOf("latin1+utf16")).run("length", "hé")).toEqual([256, 2]);
  });

  it("traps where the allocator gives no place for it", async () => {
    const guest = await guestOf("utf8");
    guest.run("given", "x".repeat(65_280));
    expect(() => guest.run("given", "x".repeat(65_281))).toThrow("65281 bytes at 256 lie outside its memory");
  });
});
