/**
 * Makes a WASI 0.2 component from C: clang compiles a core module without a C library, then the WIT of its world is
 * embedded and the module is wrapped as a component. Headers for such sources are in `c-component/`.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const run = promisify(execFile);
const HEADERS = fileURLToPath(new URL("./c-component/", import.meta.url));

/** What `buildCComponent` compiles. */
export type CComponent = {
  /** Paths of C files; they find the headers in `c-component/`. */
  readonly sources: readonly string[];
  /** Path of a WIT file that holds the world; by default that of HTTP guests. */
  readonly world?: string;
  /** Name of the world in that file. */
  readonly worldName?: string;
};

/** Compiles and wraps; throws with clang's or wasm-tools' complaint. Needs clang and lld with their WebAssembly target. */
export async function buildCComponent(component: CComponent): Promise<Uint8Array> {
  const core = await compileC(component.sources, {
    target: ["--target=wasm32"],
    compile: ["-ffreestanding", "-mbulk-memory", "-I", HEADERS],
    // The stack first: when it overflows it leaves memory, which traps, instead of running into the data.
    link: ["-nostdlib", "-Wl,--no-entry,--stack-first"],
  });
  const wit = await witSource(component.world ?? join(HEADERS, "http-guest.wit"));
  const embedded = await componentEmbed({
    binary: core,
    witSource: wit,
    world: component.worldName ?? "http-guest",
    stringEncoding: "utf8",
  });
  return componentNew(embedded, []);
}

/** Compiles a bare core module without a C library and without imports but those that it declares itself; its functions are exported by attribute. */
export function buildCModule(sources: readonly string[]): Promise<Uint8Array> {
  return compileC(sources, {
    target: ["--target=wasm32"],
    compile: ["-ffreestanding", "-mbulk-memory"],
    link: ["-nostdlib", "-Wl,--no-entry,--stack-first"],
  });
}

/** Compiles a WASI preview 1 command with wasi-libc. */
export function buildCCommand(sources: readonly string[]): Promise<Uint8Array> {
  return compileC(sources, { target: ["--target=wasm32-wasi", "--sysroot=/usr"], compile: [], link: [] });
}

/** The first line of `clang --version`, or `undefined` where there is no clang that can make WebAssembly. */
export async function clangVersion(): Promise<string | undefined> {
  if (!existsSync("/usr/include/wasm32-wasi")) return undefined;
  try {
    const [{ stdout }] = await Promise.all([run("clang", ["--version"]), run("wasm-ld", ["--version"])]);
    return stdout.split("\n")[0];
  } catch {
    // No such program: that is the answer, not an error.
    return undefined;
  }
}

type CFlags = {
  readonly target: readonly string[];
  readonly compile: readonly string[];
  readonly link: readonly string[];
};

async function compileC(sources: readonly string[], flags: CFlags): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "wasmatrix-c-"));
  try {
    const objects = sources.map((_, index) => join(folder, `${index}.o`));
    for (const [index, source] of sources.entries()) {
      await run("clang", [
        ...flags.target,
        "-c",
        "-std=c11",
        "-Os",
        "-Wall",
        "-Wextra",
        "-Werror",
        ...flags.compile,
        "-o",
        objects[index] ?? "",
        source,
      ]);
    }
    // In a step of its own without -O: with it clang would run whatever wasm-opt it finds, and the bytes would depend on that.
    const output = join(folder, "out.wasm");
    await run("clang", [...flags.target, ...flags.link, "-Wl,--strip-all", "-o", output, ...objects]);
    return await readFile(output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One WIT text: the world's package, and after it, as blocks, the packages that it may refer to. */
async function witSource(world: string): Promise<string> {
  const ours = ["wasi-keyvalue.wit", "wasi-config.wit", "wasi-logging.wit", "wasmcloud-messaging.wit"];
  const imported = [...ours.map((file) => join(HEADERS, file)), ...(await wasiPackages())];
  const texts = await Promise.all(imported.map((file) => readFile(file, "utf8")));
  const blocks = texts.map((text) => text.replace(/^package ([^{;]+);([\s\S]*)$/mu, "package $1 {$2\n}"));
  return [await readFile(world, "utf8"), ...blocks].join("\n");
}

/** The WIT that jco carries for `wasi:*@0.2.12`. */
async function wasiPackages(): Promise<string[]> {
  // `package.json` of jco is not among its exports, but its entry is: lib/ lies beside src/.
  const entry = fileURLToPath(import.meta.resolve("@bytecodealliance/jco"));
  const folder = join(dirname(entry), "..", "lib", "wit", "builtin", "0.2.12");
  return (await readdir(folder)).map((name) => join(folder, name, "package.wit"));
}
