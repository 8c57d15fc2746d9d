/** One call of the core import ABI: its arguments as its function understands them, and the way for its result. */
import { AbiError } from "./abi-error.ts";
import { abiNumbers, type AbiSignature } from "./abi-signatures.ts";
import type { GuestMemory, Room } from "./guest-memory.ts";

/** Arguments are taken in the order of the signature; each method takes the next. All throw `AbiError` `invalid`. */
export interface AbiCall {
  /** UTF-8. */
  text(): string;
  bytes(maxBytes?: number): Uint8Array<ArrayBuffer>;
  out(): Room;
  /** Room for a number of so many bytes. */
  address(bytes: 4 | 8): Room;
  /** As an unsigned number. */
  u32(): number;
  i64(): bigint;
}

/** Makes the call; throws a `TypeError`, which is a trap, if the module declared other types than the function has. */
export function abiCall(
  name: string,
  signature: AbiSignature,
  given: readonly unknown[],
  memory: GuestMemory,
): AbiCall {
  assertTypes(name, signature, given);
  let next = 0;
  let parameter = 0;
  const number = (): number => Number(given[next++]) >>> 0;
  const what = (): string => signature.parameters[parameter++]?.name ?? name;
  return {
    text: () => memory.readText(number(), number(), what()),
    bytes: (maxBytes) => memory.read(number(), number(), what(), maxBytes),
    out: () => memory.room(number(), number(), what()),
    address: (bytes) => memory.room(number(), bytes, what()),
    u32: () => {
      what();
      return number();
    },
    i64: () => {
      what();
      return BigInt.asIntN(64, BigInt(String(given[next++])));
    },
  };
}

/** Little-endian, as Wasm stores numbers. */
export function numberBytes(value: number | bigint, bytes: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 8) view.setBigInt64(0, BigInt(value), true);
  else view.setInt32(0, Number(value), true);
  return new Uint8Array(view.buffer);
}

/** The error for an argument that the function itself finds wrong. */
export function invalid(message: string): AbiError {
  return new AbiError("invalid", message);
}

// A module may declare an import with any type, and the engine does not compare it with a JavaScript function.
function assertTypes(name: string, signature: AbiSignature, given: readonly unknown[]): void {
  const numbers = abiNumbers(signature);
  const fits =
    given.length === numbers.length &&
    numbers.every((kind, index) =>
      kind === "i64"
        ? typeof given[index] === "bigint"
        : typeof given[index] === "number" && Number.isInteger(given[index]),
    );
  if (!fits) throw new TypeError(`wasmatrix.${name} is imported with other types than (${numbers.join(", ")})`);
}
