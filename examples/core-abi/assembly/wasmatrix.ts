// The import ABI of Wasmatrix for AssemblyScript: what this example uses of it; docs/core-abi.md lists all.

@external("wasmatrix", "kv_increment")
declare function kv_increment(bucket: usize, bucketLength: usize, key: usize, keyLength: usize, delta: i64, sum: usize): i32;
@external("wasmatrix", "kv_get")
declare function kv_get(bucket: usize, bucketLength: usize, key: usize, keyLength: usize, value: usize, room: usize): i32;
@external("wasmatrix", "result_read")
declare function result_read(offset: u32, rest: usize, room: usize): i32;
@external("wasmatrix", "last_error")
declare function last_error(message: usize, room: usize): i32;
@external("wasmatrix", "log")
declare function log(level: i32, message: usize, length: usize): i32;

/** An operation that fails traps, after its reason has been logged. */
function check(answer: i32): i32 {
  if (answer >= 0 || answer == NONE) return answer;
  const message = new ArrayBuffer(last_error(0, 0));
  last_error(changetype<usize>(message), message.byteLength);
  log(4, changetype<usize>(message), message.byteLength);
  unreachable();
  return answer;
}

const NONE: i32 = -3;

/** A bucket of the key-value store. */
export class Bucket {
  private readonly name: ArrayBuffer;

  constructor(name: string) {
    this.name = String.UTF8.encode(name);
  }

  increment(key: string, delta: i64): i64 {
    const utf8 = String.UTF8.encode(key);
    const sum = new ArrayBuffer(8);
    check(kv_increment(changetype<usize>(this.name), this.name.byteLength, changetype<usize>(utf8), utf8.byteLength, delta, changetype<usize>(sum)));
    return load<i64>(changetype<usize>(sum));
  }

  /** The value as text, or `null`. Asks how long it is, then reads it: the store is asked once. */
  get(key: string): string | null {
    const utf8 = String.UTF8.encode(key);
    const length = check(kv_get(changetype<usize>(this.name), this.name.byteLength, changetype<usize>(utf8), utf8.byteLength, 0, 0));
    if (length == NONE) return null;
    const value = new ArrayBuffer(length);
    result_read(0, changetype<usize>(value), length);
    return String.UTF8.decode(value);
  }
}

/** Writes a line to the instance's log. */
export function info(message: string): void {
  const utf8 = String.UTF8.encode(message);
  log(2, changetype<usize>(utf8), utf8.byteLength);
}

/** What AssemblyScript calls when an assertion fails. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const utf8 = String.UTF8.encode(`${message === null ? "aborted" : message} (line ${line})`);
  log(5, changetype<usize>(utf8), utf8.byteLength);
  unreachable();
}
