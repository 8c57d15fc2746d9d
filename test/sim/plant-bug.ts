/** Puts a planted bug into the production code of this thread, by changing the text of one module as it is loaded. */
import { registerHooks } from "node:module";
import { PLANTED_BUGS } from "./planted-bugs.ts";

/** Has to come before the module is loaded. Throws if there is no such bug; loading throws if the text to change is not there exactly once. */
export function plantBug(name: string): void {
  const bug = PLANTED_BUGS.find((each) => each.name === name);
  if (bug === undefined) throw new Error(`there is no planted bug "${name}"`);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/${bug.file}`)) return loaded;
      if (loaded.source === undefined || loaded.source === null) throw new Error(`planted bug "${name}": no source`);
      const text = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
      if (text.split(bug.find).length !== 2)
        throw new Error(`planted bug "${name}": ${bug.file} does not have its text exactly once`);
      return { ...loaded, source: text.replace(bug.find, () => bug.replace) };
    },
  });
}
