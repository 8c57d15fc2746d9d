/** The version of the protocol between agents and control planes; the rule is in `proto/README.md`. Imports nothing. */

/**
 * What this program speaks. Grows by one when an old peer could misunderstand a new one. 2: an agent of version 1 carries an
 * assignment out without its denials, and keeps between calls what `REUSE_NONE` says must go.
 */
export const PROTOCOL_VERSION = 2;

/** The oldest version that this program's control plane still serves. */
export const OLDEST_SERVED_PROTOCOL_VERSION = 1;
