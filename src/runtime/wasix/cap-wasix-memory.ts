/** Rewrites a WASIX program so that its one memory, its own or the shared one that it imports, grows no further than its limit. */
import { fault, Reason } from "../../fault.ts";
import { readLimits, readValueType } from "../core-module.ts";
import { capGrowth, initialSizes, PAGE_BYTES, sharedMemoryPages, sharedTableEntries } from "../growth-cap.ts";
import { coreSectionsFromBytes, lebFromUnsigned, malformed, WasmReader } from "../wasm-reader.ts";

const IMPORT_SECTION = 2;
const HAS_MAXIMUM = 1;
const IS_SHARED = 2;

/**
 * The same module, held to `memoryMaxBytes`. Throws `LIMIT_INVALID` if its memory begins with more, and
 * `MODULE_KIND_UNSUPPORTED` for a memory that the SDK cannot give: several, or an imported one that is not shared.
 */
export function cappedWasixProgram(module: Uint8Array, memoryMaxBytes: number): Uint8Array<ArrayBuffer> {
  const pagesMax = Math.floor(memoryMaxBytes / PAGE_BYTES);
  const imported = importedMemory(module);
  const sizes = initialSizes(module);
  const initial = [...sizes.memoryPages, ...(imported === undefined ? [] : [imported.limits.minimum])];
  if (initial.length > 1) throw unsupported(`has ${initial.length} memories (at most 1)`);
  const [cap = 0n] = sharedMemoryPages(initial, pagesMax);
  const capped = capGrowth(module, {
    memoryPages: sizes.memoryPages.map(() => cap),
    tableEntries: sharedTableEntries(sizes.tableEntries),
  });
  if (imported === undefined) return capped;
  if ((imported.limits.flags & IS_SHARED) === 0) throw unsupported("imports a memory that is not shared");
  return withImportedLimits(module, capped, imported, cap);
}

type ImportedMemory = {
  readonly limits: { readonly flags: number; readonly minimum: bigint; readonly maximum: bigint | undefined };
  /** Offsets of its limits in the module. */
  readonly start: number;
  readonly end: number;
};

function importedMemory(module: Uint8Array): ImportedMemory | undefined {
  let found: ImportedMemory | undefined;
  for (const section of coreSectionsFromBytes(module)) {
    if (section.id !== IMPORT_SECTION) continue;
    const reader = new WasmReader(module, section.bodyStart, section.end);
    reader.vector(() => {
      const memory = readImport(reader);
      if (memory !== undefined && found !== undefined) throw unsupported("imports several memories");
      found ??= memory;
    });
  }
  return found;
}

function readImport(reader: WasmReader): ImportedMemory | undefined {
  reader.name();
  reader.name();
  const kind = reader.byte();
  switch (kind) {
    case 0:
      reader.u32();
      return undefined;
    case 1:
      readValueType(reader);
      readLimits(reader);
      return undefined;
    case 2: {
      const start = reader.offset;
      const limits = readLimits(reader);
      return { limits, start, end: reader.offset };
    }
    case 3:
      readValueType(reader);
      reader.byte();
      return undefined;
    default:
      throw malformed(`kind ${kind} of an import is unknown (before byte ${reader.offset})`);
  }
}

/** `capped` with other limits for the imported memory. The import section comes before all that was capped, so its offsets still hold. */
function withImportedLimits(
  module: Uint8Array,
  capped: Uint8Array,
  { limits, start, end }: ImportedMemory,
  cap: bigint,
): Uint8Array<ArrayBuffer> {
  const section = coreSectionsFromBytes(module).find(({ id }) => id === IMPORT_SECTION);
  if (section === undefined) throw new Error("the import section is gone");
  const maximum = limits.maximum !== undefined && limits.maximum < cap ? limits.maximum : cap;
  const written = [limits.flags | HAS_MAXIMUM, ...lebFromUnsigned(limits.minimum), ...lebFromUnsigned(maximum)];
  const body = [capped.subarray(section.bodyStart, start), written, capped.subarray(end, section.end)];
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  return Uint8Array.from(
    Buffer.concat(
      [
        capped.subarray(0, section.start),
        [IMPORT_SECTION, ...lebFromUnsigned(BigInt(bodyBytes))],
        ...body,
        capped.subarray(section.end),
      ].map((part) => Uint8Array.from(part)),
    ),
  );
}

function unsupported(what: string): Error {
  return fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: it is a WASIX program that ${what}`);
}
