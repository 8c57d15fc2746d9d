/** Compiles the HTTP guests of the tests: `node test/runtime/guests/build.ts`. Needs clang; running the tests does not. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildCComponent } from "../../../scripts/build-c-component.ts";

for (const name of ["probe", "foreign", "permissions", "subscriber", "misbehaving", "garbage"]) {
  const path = (extension: string): string => fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url));
  const component = await buildCComponent({ sources: [path("c")], world: path("wit"), worldName: name });
  await writeFile(path("wasm"), component);
}
