/** Handles of resources: `own` and `borrow`. */
import { type Codec, type CoreValue, notOfType } from "./codec.ts";
import type { PlanResource } from "./component-plan.ts";
import type { Crossing } from "./crossing.ts";
import { GuestResource } from "./guest-resource.ts";
import { Handle } from "./handle-table.ts";
import { integer } from "./scalar-codec.ts";
import { Trap } from "./trap.ts";

const HANDLE_HEAP_BYTES = 64;

/** The codec of `own<R>` or `borrow<R>`, where R is number `index` of the plan's resources. */
export function handleCodec(kind: "own" | "borrow", index: number, resource: PlanResource): Codec {
  const out = kind === "own" ? liftOwn : liftBorrow;
  const into = kind === "own" ? lowerOwn : lowerBorrow;
  return {
    sizeBytes: 4,
    alignBytes: 4,
    flat: ["i32"],
    heapBytes: HANDLE_HEAP_BYTES,
    load: (cx, ptr) => out(cx, cx.memory.view.getUint32(ptr, true), index, resource),
    store: (cx, ptr, value) => cx.memory.view.setUint32(ptr, into(cx, value, index, resource), true),
    lift: (cx, flat: readonly CoreValue[], at) => out(cx, integer(flat[at]) >>> 0, index, resource),
    lower: (cx, flat, at, value) => (flat[at] = into(cx, value, index, resource)),
  };
}

function liftOwn(cx: Crossing, number: number, index: number, resource: PlanResource): unknown {
  const handle = cx.instance.handles.get(number, index);
  if (!handle.isOwn) throw new Trap(`handle ${number} is borrowed and cannot be given away`);
  if (handle.lentToCall === cx.component.callNumber)
    throw new Trap(`handle ${number} is lent and given away in one call`);
  cx.instance.handles.remove(number, index);
  return resource.kind === "host" ? handle.representation : guestResource(cx, handle, true);
}

/** A caller's code does not run while its call goes on, so a handle that is lent can only be given away by the same call's parameters. */
function liftBorrow(cx: Crossing, number: number, index: number, resource: PlanResource): unknown {
  const handle = cx.instance.handles.get(number, index);
  handle.lentToCall = cx.component.callNumber;
  return resource.kind === "host" ? handle.representation : guestResource(cx, handle, false);
}

function guestResource(cx: Crossing, handle: Handle, isOwned: boolean): GuestResource {
  return new GuestResource({
    component: cx.component,
    resource: handle.resource,
    representation: Number(handle.representation),
    isOwned,
    destroy: cx.component.destroy,
  });
}

function lowerOwn(cx: Crossing, value: unknown, index: number, resource: PlanResource): number {
  const representation = resource.kind === "host" ? hostObject(value) : ownResource(cx, value, index).take();
  return cx.instance.handles.add(new Handle(index, representation, true, undefined));
}

/** The instance that defines a resource is given its own number for it instead of a handle. */
function lowerBorrow(cx: Crossing, value: unknown, index: number, resource: PlanResource): number {
  const representation = resource.kind === "host" ? hostObject(value) : ownResource(cx, value, index).representation;
  if (resource.kind === "guest" && cx.component.isDefinedBy(index, cx.instance)) return Number(representation);
  const { scope } = cx.instance;
  if (scope === undefined) throw new Error("a borrowed handle is passed outside a call");
  const number = cx.instance.handles.add(new Handle(index, representation, false, scope));
  scope.borrows += 1;
  return number;
}

function hostObject(value: unknown): unknown {
  if (value === undefined) throw notOfType("a resource of the host", value);
  return value;
}

function ownResource(cx: Crossing, value: unknown, index: number): GuestResource {
  if (value instanceof GuestResource && value.component === cx.component && value.resource === index) return value;
  throw notOfType("a resource that this component made", value);
}
