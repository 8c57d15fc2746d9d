/** How every command names an instance. */

/** The help of an `<instance>` argument. */
export const INSTANCE_HELP = "id, the first characters of an id if no other begins so, or a name";
