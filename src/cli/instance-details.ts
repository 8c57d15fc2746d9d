/** An instance in all detail, for `inspect`. Pure. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  IsolationSchema,
  OnNodeLossSchema,
  ReuseSchema,
  type Instance,
  type Limits,
} from "../gen/wasmatrix/v1/instance_pb.ts";
import { durationText } from "./duration.ts";
import { wordFromEnum } from "./enum-word.ts";
import { agoText, endText, kindText, labelsText, restartText, stateText, timeText } from "./instance-text.ts";
import { LIMITS, limitFlag, limitText } from "./limit-flags.ts";
import { permissionRows, type PermissionRow } from "./permissions/permission-table.ts";
import { tableText, type Column } from "./table.ts";

/** What is shown of an instance, in order; pure. */
export function detailsOf(instance: Instance, nowMs: number): (readonly [string, string | readonly string[]])[] {
  const { restartPolicy: policy, lastTermination: end } = instance;
  const since = (time: Instance["createTime"]): string =>
    time === undefined ? "-" : `${timeText(time)} (${agoText(time, nowMs)} ago)`;
  const backoff = policy?.backoff === undefined ? "" : `, first after ${durationText(durationMs(policy.backoff))}`;
  const ended =
    end === undefined ? [] : [`${endText(end)} at ${timeText(end.time)}`, ...(end.message === "" ? [] : [end.message])];
  return [
    ["id", instance.id],
    ["name", instance.name || "-"],
    ["labels", labelsText(instance.labels) || "-"],
    ["state", stateText(instance, nowMs)],
    ["kind", kindText(instance) || "-"],
    ["node", instance.nodeId],
    ["generation", String(instance.generation)],
    ["module", instance.moduleDigest],
    ["arguments", instance.args.length === 0 ? "-" : JSON.stringify(instance.args)],
    ["environment", instance.envNames.join(", ") || "-"],
    ["config", instance.configNames.join(", ") || "-"],
    ["permissions", permissionLines(instance)],
    ["refused", `${instance.deniedCount} operation${instance.deniedCount === 1n ? "" : "s"}`],
    ["isolation", wordFromEnum(IsolationSchema, instance.isolation) || "shared"],
    ["reuse", wordFromEnum(ReuseSchema, instance.reuse) || "instance"],
    ["restart", `${restartText(policy)}${backoff}`],
    ["restarts", String(instance.restartCount)],
    ["on node loss", wordFromEnum(OnNodeLossSchema, instance.onNodeLoss) || "none"],
    ["witness", instance.witnessNodeId || "-"],
    ["limits", instance.limits === undefined ? "-" : limitTexts(instance.limits)],
    ["created", since(instance.createTime)],
    ["started", since(instance.startTime)],
    ["last end", ended],
    ["observed", since(instance.observedTime)],
  ];
}

/** One line a permission, in columns; empty if it may do nothing and has tried nothing. */
function permissionLines(instance: Instance): string[] {
  const rows = permissionRows(instance);
  if (rows.length === 0) return [];
  const columns: Column<PermissionRow>[] = [
    { title: "", cell: ({ standing }) => standing },
    { title: "PERMISSION", cell: ({ permission }) => permission },
    ...(rows.some(({ bucket }) => bucket !== "")
      ? [{ title: "BUCKET", cell: ({ bucket }: PermissionRow) => bucket }]
      : []),
    { title: "PROVIDER", cell: ({ provider }) => provider },
    { title: "USED", cell: ({ usedCount }) => String(usedCount), align: "right" },
    { title: "REFUSED", cell: ({ refusedCount }) => String(refusedCount), align: "right" },
  ];
  return tableText(columns, rows).trimEnd().split("\n");
}

function limitTexts(limits: Limits): string[] {
  const shown = LIMITS.map(({ name, unit, inForce }) => [
    limitFlag(name).slice(2).replaceAll("-", " "),
    limitText(unit, inForce(limits)),
  ]);
  const widest = Math.max(...shown.map(([name = ""]) => name.length));
  return shown.map(([name = "", value = ""]) => `${name.padEnd(widest)}  ${value}`);
}
