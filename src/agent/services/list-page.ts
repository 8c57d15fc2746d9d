/** Pages of a list that is ordered by id. Pure. */
import { fault, Reason } from "../../fault.ts";

/** Page size of a request that names none. */
export const PAGE_SIZE_DEFAULT = 100;

/** The page after `pageToken`, which is the last id of the page before; throws `CURSOR_INVALID` for anything else. */
export function listPage<Item extends { readonly id: string }>(
  items: readonly Item[],
  request: { readonly pageSize: number; readonly pageToken: string },
): { readonly items: readonly Item[]; readonly nextPageToken: string } {
  const { pageToken } = request;
  if (pageToken !== "" && !/^[a-z0-9]{1,63}$/.test(pageToken)) {
    throw fault(Reason.CURSOR_INVALID, "Cannot read page_token: it is not one that this method gave out", {
      subject: "page_token",
    });
  }
  const pageSize = request.pageSize || PAGE_SIZE_DEFAULT;
  const rest = pageToken === "" ? items : items.filter(({ id }) => id > pageToken);
  const page = rest.slice(0, pageSize);
  return { items: page, nextPageToken: rest.length > pageSize ? (page.at(-1)?.id ?? "") : "" };
}
