import { describe, expect, it } from "vitest";
import { findInterface, missingImports } from "../../../src/runtime/component/host-lookup.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { call, componentFromWat, instanceFromWat } from "./component-guest.ts";

/** A component that calls one function of one interface. */
function importer(name: string, item: string): string {
  return `(component
    (import "${name}" (instance $host (export "${item}" (func (result u32))) (export "never-called" (func))))
    (core func $f (canon lower (func $host "${item}")))
    (core module $Main (import "h" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)))
    (core instance $main (instantiate $Main (with "h" (instance (export "f" (func $f))))))
    (func (export "run") (result u32) (canon lift (core func $main "run"))))`;
}

describe("the interface for an import", () => {
  const served = { functions: { f: () => 1 } };

  it.each([
    "wasi:io/streams@0.2.0",
    "wasi:io/streams@0.2.99",
    "wasi:io/streams@0.2.0-rc-2023-11-10",
    "wasi:io/streams",
  ])("serves %s without naming a version", (name) => {
    expect(findInterface({ "wasi:io/streams": served }, name)).toBe(served);
  });

  it.each(["wasi:io/streams@0.3.0", "wasi:io/streams@1.0.0", "wasi:io/streamsx@0.2.0", "wasi:io/poll@0.2.0"])(
    "does not serve %s",
    (name) => {
      expect(findInterface({ "wasi:io/streams": served }, name)).toBeUndefined();
    },
  );

  it("of the very version comes first", () => {
    const other = { functions: {} };
    const interfaces = { "wasi:keyvalue/store": served, "wasi:keyvalue/store@0.2.0-draft2": other };
    expect(findInterface(interfaces, "wasi:keyvalue/store@0.2.0-draft2")).toBe(other);
    expect(findInterface(interfaces, "wasi:keyvalue/store@0.2.0-draft")).toBe(served);
  });

  it("serves every version of what is not WASI's", () => {
    expect(findInterface({ "acme:tools/tools": served }, "acme:tools/tools@7.1.0")).toBe(served);
  });

  it.each(["toString", "constructor", "__proto__", "hasOwnProperty"])(
    "is never %s that objects inherit",
    async (name) => {
      expect(findInterface({}, name)).toBeUndefined();
      const { plan } = planFromBytes(
        await componentFromWat(importer("test:host/host", name === "__proto__" ? "proto" : name)),
      );
      expect(missingImports(plan, { "test:host/host": { functions: {} } })).toHaveLength(1);
    },
  );
});

describe("imports that are missing", () => {
  it("are named: an interface that is not there, or one function of it", async () => {
    const { plan } = planFromBytes(await componentFromWat(importer("test:host/host@1.2.3", "f")));
    expect(missingImports(plan, {})).toEqual(["test:host/host@1.2.3"]);
    expect(missingImports(plan, { "test:host/host": { functions: { g: () => 1 } } })).toEqual([
      "test:host/host@1.2.3#f",
    ]);
    expect(missingImports(plan, { "test:host/host": { functions: { f: () => 1 } } })).toEqual([]);
  });

  it("refuse the component, by name", async () => {
    await expect(instanceFromWat(importer("test:host/host@1.2.3", "f"))).rejects.toMatchObject({
      message: 'Cannot host module: it imports "test:host/host@1.2.3", which nothing here provides',
      subject: "test:host/host@1.2.3",
    });
    const guest = await instanceFromWat(importer("test:host/host@1.2.3", "f"), {
      "test:host/host": { functions: { f: () => 1 } },
    });
    expect(call(guest, "run")).toBe(1);
  });

  it("may be functions of the world itself", async () => {
    const wat = `(component
      (import "f" (func $f (result u32)))
      (core func $l (canon lower (func $f)))
      (core module $Main (import "h" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)))
      (core instance $main (instantiate $Main (with "h" (instance (export "f" (func $l))))))
      (func (export "run") (result u32) (canon lift (core func $main "run"))))`;
    const { plan } = planFromBytes(await componentFromWat(wat));
    expect(missingImports(plan, {})).toEqual(["f"]);
    expect(call(await instanceFromWat(wat, { $root: { functions: { f: () => 5 } } }), "run")).toBe(5);
  });
});
