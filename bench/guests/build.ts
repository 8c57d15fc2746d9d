/** Compiles the guests that are measured: `node bench/guests/build.ts`. Needs clang; measuring does not. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildCComponent } from "../../scripts/build-c-component.ts";

for (const name of ["hello", "kv-reads"]) {
  const component = await buildCComponent({ sources: [join(import.meta.dirname, `${name}.c`)] });
  await writeFile(join(import.meta.dirname, `${name}.wasm`), component);
}
