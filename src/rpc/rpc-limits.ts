/** Bounds of one RPC, the same on every server and client of ours. */

const MESSAGE_MAX_BYTES: number = 4 * 1024 * 1024;

/** Largest message that is read, after decompression. */
export const RPC_READ_MAX_BYTES: number = MESSAGE_MAX_BYTES;

/** Largest message that is written; equal to what the peer reads, so that an over-long one fails at its sender. */
export const RPC_WRITE_MAX_BYTES: number = MESSAGE_MAX_BYTES;

/** An idle server stream carries an empty message this often, or neither side would see the other go away. */
export const STREAM_KEEPALIVE_MS = 10_000;

/** Longest request id that is taken over from a caller. */
export const REQUEST_ID_MAX_LENGTH = 64;
