/** Compiles the guests of these tests: `node test/runtime/host/guests/build.ts`. Needs clang; running the tests does not. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildCCommand, buildCComponent } from "../../../../scripts/build-c-component.ts";

const path = (file: string): string => fileURLToPath(new URL(`./${file}`, import.meta.url));

for (const name of ["relay", "swapper"]) {
  const component = await buildCComponent({
    sources: [path(`${name}.c`)],
    world: path(`${name}.wit`),
    worldName: name,
  });
  await writeFile(path(`${name}.wasm`), component);
}

// A core module: the tests make a component of it with the adapter that jco brings.
await writeFile(path("walker.wasm"), await buildCCommand([path("walker.c")]));
