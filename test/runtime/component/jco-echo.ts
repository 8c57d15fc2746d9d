/** The echo component as jco runs it. */
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import type { TypeTree } from "./arbitrary-type.ts";
import { componentFromWat } from "./component-guest.ts";

/** Runs `echo-component.ts` by the code that jco makes of it; values are as `component-value.ts` says. No result may stand outermost, which jco throws. */
export async function jcoEcho(
  wat: string,
  type: TypeTree,
): Promise<{ echo(value: unknown): void; peek(from: number, length: number): Uint8Array }> {
  const { files } = await transpileBytes(await componentFromWat(wat), {
    name: "echo",
    instantiation: "sync",
    wasiShim: false,
    emitTypescriptDeclarations: false,
    tlaCompat: false,
    nodejsCompat: false,
    base64Cutoff: 0,
  });
  const source = new TextDecoder().decode(files["echo.js"]);
  const module: Record<string, unknown> = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const { instantiate } = module;
  if (typeof instantiate !== "function") throw new Error("jco's output has changed");
  const exports = instantiate((name: string) => new WebAssembly.Module(new Uint8Array(files[name] ?? [])), {
    "test:echo/host": { echo: (given: unknown) => given },
  });
  const guest = exports["test:echo/guest"];
  return {
    echo: (value) => void guest.echo(jcoValue(type, value)),
    peek: (from, length) => guest.peek(from, length),
  };
}

/** The value in jco's mapping. */
function jcoValue(type: TypeTree, value: unknown): unknown {
  switch (type.kind) {
    case "list":
      return value instanceof Uint8Array ? value : many(value).map((item) => jcoValue(type.element, item));
    case "tuple":
      return many(value).map((item, index) => jcoValue(type.items[index] ?? { kind: "bool" }, item));
    case "record":
      return Object.fromEntries(
        type.fields.map((field, index) => [`field${index}`, jcoValue(field, part(value, `field-${index}`))]),
      );
    case "flags": {
      const set = many(value);
      return Object.fromEntries(
        Array.from({ length: type.count }, (_, index) => [`name${index}`, set.includes(`name-${index}`)]),
      );
    }
    case "option":
      if (value === undefined) return type.some.kind === "option" ? { tag: "none" } : undefined;
      return type.some.kind === "option"
        ? { tag: "some", val: jcoValue(type.some, part(value, "some")) }
        : jcoValue(type.some, value);
    case "variant": {
      const tag = String(part(value, "tag"));
      return tagged(tag, type.cases[Number(tag.slice("case-".length))], value);
    }
    case "result": {
      const tag = String(part(value, "tag"));
      return tagged(tag, tag === "ok" ? type.ok : type.err, value);
    }
    default:
      return value;
  }
}

function tagged(tag: string, payload: TypeTree | undefined, value: unknown): unknown {
  return payload === undefined ? { tag } : { tag, val: jcoValue(payload, part(value, "val")) };
}

function many(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function part(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
