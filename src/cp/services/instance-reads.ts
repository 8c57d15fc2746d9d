/** QueryInstance and ListInstances. */
import { toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { fault, Reason } from "../../fault.ts";
import type { ControlPlaneService, ListInstancesRequest } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { hasEnded } from "../instance-life.ts";
import type { ServiceDeps } from "./service-deps.ts";

const PAGE_SIZE_DEFAULT = 100;
/** A page of instances with long arguments ends early, so that it stays below what one message may hold. */
const PAGE_MAX_BYTES = 3 * 1024 * 1024;

/** The handlers. */
export function instanceReads(
  deps: ServiceDeps,
): Pick<ServiceImpl<typeof ControlPlaneService>, "queryInstance" | "listInstances"> {
  return {
    queryInstance: ({ instance }) => ({ instance: deps.reader.find(instance, "Cannot query instance") }),
    listInstances(request) {
      const after = idFromPageToken(request.pageToken);
      const fitting: Instance[] = [];
      for (const instance of deps.reader.instances(request.nodeId === "" ? undefined : request.nodeId)) {
        if (instance.id > after && passes(instance, request)) fitting.push(instance);
      }
      fitting.sort((a, b) => (a.id < b.id ? -1 : 1));
      const instances = firstPage(fitting, request.pageSize === 0 ? PAGE_SIZE_DEFAULT : request.pageSize);
      const last = instances.length < fitting.length ? instances.at(-1) : undefined;
      return {
        instances: [...instances],
        nextPageToken: last ? pageTokenFromId(last.id) : "",
        rebuilding: deps.reader.isRebuilding(),
      };
    },
  };
}

function passes(instance: Instance, request: ListInstancesRequest): boolean {
  // Asking for an ended state is asking for ended instances.
  if (
    request.states.length > 0 ? !request.states.includes(instance.state) : hasEnded(instance) && !request.includeEnded
  )
    return false;
  if (request.name !== "" && instance.name !== request.name) return false;
  return Object.entries(request.labels).every(([key, value]) => instance.labels[key] === value);
}

function firstPage(instances: readonly Instance[], size: number): readonly Instance[] {
  let sizeBytes = 0;
  let count = 0;
  for (const instance of instances.slice(0, size)) {
    sizeBytes += toBinary(InstanceSchema, instance).length;
    if (sizeBytes > PAGE_MAX_BYTES && count > 0) break;
    count += 1;
  }
  return instances.slice(0, count);
}

/** Pages go on after an id, so that instances that come and go between two pages neither repeat nor hide others. */
function pageTokenFromId(id: string): string {
  return `after-${id}`;
}

function idFromPageToken(token: string): string {
  if (token === "") return "";
  const id = /^after-(.{1,63})$/.exec(token)?.[1];
  if (id !== undefined) return id;
  throw fault(Reason.CURSOR_INVALID, "Cannot list instances: the page token is not one that this service gave", {
    subject: "page_token",
  });
}
