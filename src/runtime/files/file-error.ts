/** Why a file operation failed: one vocabulary, that of `wasi:filesystem`, which preview 1 translates to its numbers. */

/** The error codes of `wasi:filesystem/types`, and `too-many-open` for the host's own limit of open files. */
export type FileErrorCode =
  | "access"
  | "would-block"
  | "already"
  | "bad-descriptor"
  | "busy"
  | "deadlock"
  | "quota"
  | "exist"
  | "file-too-large"
  | "illegal-byte-sequence"
  | "in-progress"
  | "interrupted"
  | "invalid"
  | "io"
  | "is-directory"
  | "loop"
  | "too-many-links"
  | "message-size"
  | "name-too-long"
  | "no-device"
  | "no-entry"
  | "no-lock"
  | "insufficient-memory"
  | "insufficient-space"
  | "not-directory"
  | "not-empty"
  | "not-recoverable"
  | "unsupported"
  | "no-tty"
  | "no-such-device"
  | "overflow"
  | "not-permitted"
  | "pipe"
  | "read-only"
  | "invalid-seek"
  | "text-file-busy"
  | "cross-device"
  | "too-many-open";

/** A file operation that was refused or failed. Guests see the code only; the message never holds a host path. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: FileErrorCode;

  constructor(code: FileErrorCode) {
    super(code);
    this.code = code;
  }
}

/** The code that stands for whatever a `node:fs` call threw; `io` for what has no other. */
export function fileErrorCodeOf(error: unknown): FileErrorCode {
  if (error instanceof FileError) return error.code;
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return "io";
  return CODES.get(error.code) ?? "io";
}

/** Runs a `node:fs` call; what it throws becomes a `FileError`. */
export function onHost<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(fileErrorCodeOf(error));
  }
}

const CODES: ReadonlyMap<string, FileErrorCode> = new Map<string, FileErrorCode>([
  ["EACCES", "access"],
  ["EAGAIN", "would-block"],
  ["EALREADY", "already"],
  ["EBADF", "bad-descriptor"],
  ["EBUSY", "busy"],
  ["EDEADLK", "deadlock"],
  ["EDQUOT", "quota"],
  ["EEXIST", "exist"],
  ["EFBIG", "file-too-large"],
  ["EILSEQ", "illegal-byte-sequence"],
  ["EINPROGRESS", "in-progress"],
  ["EINTR", "interrupted"],
  ["EINVAL", "invalid"],
  ["EIO", "io"],
  ["EISDIR", "is-directory"],
  ["ELOOP", "loop"],
  ["EMLINK", "too-many-links"],
  ["EMSGSIZE", "message-size"],
  ["ENAMETOOLONG", "name-too-long"],
  ["ENODEV", "no-device"],
  ["ENOENT", "no-entry"],
  ["ENOLCK", "no-lock"],
  ["ENOMEM", "insufficient-memory"],
  ["ENOSPC", "insufficient-space"],
  ["ENOTDIR", "not-directory"],
  ["ENOTEMPTY", "not-empty"],
  ["ENOTRECOVERABLE", "not-recoverable"],
  ["ENOTSUP", "unsupported"],
  ["EOPNOTSUPP", "unsupported"],
  ["ENOSYS", "unsupported"],
  ["ENOTTY", "no-tty"],
  ["ENXIO", "no-such-device"],
  ["EOVERFLOW", "overflow"],
  ["EPERM", "not-permitted"],
  ["EPIPE", "pipe"],
  ["EROFS", "read-only"],
  ["ESPIPE", "invalid-seek"],
  ["ETXTBSY", "text-file-busy"],
  ["EXDEV", "cross-device"],
  ["EMFILE", "too-many-open"],
  ["ENFILE", "too-many-open"],
]);
