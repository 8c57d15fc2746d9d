/** The version of the protocol between agents and control planes; the rule is in `proto/README.md`. Imports nothing. */

/**
 * What this program speaks. Grows by one when an old peer could misunderstand a new one. 2: an agent of version 1 carries an
 * assignment out without its denials, and keeps between calls what `REUSE_NONE` says must go. 3: an agent of version 2 cannot be a witness, and
 * cannot be told that what it runs was placed elsewhere.
 */
export const PROTOCOL_VERSION = 3;

/** Agents from this version on serve `NodeFleetService`: they may hold, and be the witness of, what is to survive its node. */
export const FLEET_PROTOCOL_VERSION = 3;

/** The oldest version that this program's control plane still serves. */
export const OLDEST_SERVED_PROTOCOL_VERSION = 1;
