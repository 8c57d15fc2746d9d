/** Compiles the preview 1 guests of the tests: `node scripts/build-preview1-guests.ts`. Needs clang and wasi-libc; running the tests does not. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildCCommand } from "./build-c-component.ts";

for (const name of ["posix"]) {
  const path = (extension: string): string =>
    fileURLToPath(new URL(`../test/runtime/preview1/guests/${name}.${extension}`, import.meta.url));
  await writeFile(path("wasm"), await buildCCommand([path("c")]));
}
