/** Which imports of a module nobody has decided on: its order neither grants nor denies what they reach. Pure. */
import { fault, Reason } from "../fault.ts";
import type { CapabilityType, Grant } from "../providers/permissions.ts";
import { CORE_ABI_MODULE, CORE_ABI_SIGNATURES } from "../runtime/abi/abi-signatures.ts";
import { hostedInterface } from "../runtime/host/hosted-interfaces.ts";
import type { ModuleShape } from "../runtime/runtime.ts";

/**
 * The types whose imports tell that a guest means to use them. Files, environment and sockets are not among them: every C library
 * imports those, used or not.
 */
export type EffectType = Extract<CapabilityType, "kv" | "http" | "messaging">;

const EFFECT_TYPES: readonly EffectType[] = ["kv", "http", "messaging"];

/** What an order says nothing about; both lists are empty or neither is. */
export type UndecidedImports = {
  /** As the module spells them, in its order. */
  readonly imports: readonly string[];
  /** What they reach, each type once. */
  readonly types: readonly EffectType[];
};

/** Finds the imports of effects for whose type there is no assignment at all; one that only denies is a decision, too. */
export function undecidedImports(
  { imports }: Pick<ModuleShape, "imports">,
  grants: readonly Pick<Grant, "type">[],
): UndecidedImports {
  const found = imports.flatMap((name) => {
    const type = effectOf(name);
    return type === undefined || grants.some((grant) => grant.type === type) ? [] : [{ name, type }];
  });
  return {
    imports: [...new Set(found.map(({ name }) => name))],
    types: EFFECT_TYPES.filter((type) => found.some((one) => one.type === type)),
  };
}

/** Throws `CAPABILITY_DENIED` with the first of the imports as its subject if `undecidedImports` finds any; the message names all, and the flags that decide. */
export function assertImportsDecided(
  id: string,
  shape: Pick<ModuleShape, "imports">,
  grants: readonly Pick<Grant, "type">[],
): void {
  const { imports, types } = undecidedImports(shape, grants);
  if (imports.length === 0) return;
  const more = imports.length > NAMED_MAX ? [`${imports.length - NAMED_MAX} more`] : [];
  const flags = (effect: "allow" | "deny"): string => types.map((type) => `--${effect}-${FLAG_WORD[type]}`).join(", ");
  const it = imports.length === 1 ? "it" : "them";
  throw fault(
    Reason.CAPABILITY_DENIED,
    `Cannot start instance "${id}": it imports ${listText([...imports.slice(0, NAMED_MAX), ...more])} and nothing is said about ${listText(types)}; grant ${it} (${flags("allow")}) or say that it goes without (${flags("deny")})`,
    { subject: imports[0] ?? "" },
  );
}

/** The type that an import is of; `undefined` for one without effects: `wasi:keyvalue/store@0.2.0-draft` and `wasmatrix.kv_get` are of kv. */
export function effectOf(name: string): EffectType | undefined {
  const needs = name.startsWith(ABI_PREFIX)
    ? needOfFunction(name.slice(ABI_PREFIX.length))
    : hostedInterface(name)?.needs;
  return EFFECT_TYPES.find((type) => type === needs);
}

const ABI_PREFIX = `${CORE_ABI_MODULE}.`;

/** Names that a message has room for: as many as the core import ABI has functions with effects. */
const NAMED_MAX = 10;

const FLAG_WORD: Readonly<Record<EffectType, string>> = { kv: "kv", http: "net", messaging: "publish" };

const TYPE_OF_PREFIX: Readonly<Record<string, EffectType>> = { kv: "kv", http: "http", msg: "messaging" };

function needOfFunction(name: string): EffectType | undefined {
  const permission = Object.hasOwn(CORE_ABI_SIGNATURES, name) ? CORE_ABI_SIGNATURES[name]?.permission : undefined;
  return TYPE_OF_PREFIX[permission?.split(":")[0] ?? ""];
}

function listText(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
