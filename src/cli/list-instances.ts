/** All pages of a list of instances. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ListInstancesResponseSchema,
  type ListInstancesRequestSchema,
  type ListInstancesResponse,
} from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { ASK_TIMEOUT_MS, type ControlPlaneSession } from "./control-plane-session.ts";

const PAGE_SIZE = 500;

/** Most instances that one command lists; beyond, filters are needed. */
export const LISTED_INSTANCES_MAX = 100_000;

/** The instances that pass the filter, as one answer; its page token is set only if there were more than `LISTED_INSTANCES_MAX`. */
export async function listInstances(
  session: ControlPlaneSession,
  filter: MessageInitShape<typeof ListInstancesRequestSchema>,
): Promise<ListInstancesResponse> {
  const all = create(ListInstancesResponseSchema);
  do {
    const request = { ...filter, pageSize: PAGE_SIZE, pageToken: all.nextPageToken };
    const page = await session.client.listInstances(request, session.call(ASK_TIMEOUT_MS));
    all.instances.push(...page.instances);
    all.nextPageToken = page.nextPageToken;
    all.rebuilding ||= page.rebuilding;
  } while (all.nextPageToken !== "" && all.instances.length < LISTED_INSTANCES_MAX);
  return all;
}
