/** Checks of the one token that guards an API. */

/** Takes a token out of an `Authorization` header; `null` if there is none. The scheme's case does not matter (RFC 9110). */
export function tokenFromAuthorization(header: string | null): string | null {
  const match = /^bearer +(\S+)$/i.exec(header ?? "");
  return match?.[1] ?? null;
}

/**
 * Makes a check against `token` whose time tells nothing about where two tokens differ: it compares their
 * SHA-256 digests byte for byte, all 32, whatever they hold.
 */
export function createTokenCheck(token: string): (presented: string | null) => Promise<boolean> {
  const expected = sha256(token);
  return async (presented) => {
    const actual = await sha256(presented ?? "");
    const wanted = await expected;
    let difference = presented === null ? 1 : 0;
    for (let index = 0; index < wanted.length; index++) difference |= (wanted[index] ?? 0) ^ (actual[index] ?? 0);
    return difference === 0;
  };
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
