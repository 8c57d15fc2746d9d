/** Cordon, uncordon and drain as they are told. What they do is tested with real processes in `test/system/many-nodes.test.ts`. */
import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, test } from "vitest";
import { fault, Reason } from "../../src/fault.ts";
import {
  DrainNodeResponseSchema,
  type CordonNodeRequest,
  type DrainNodeRequest,
} from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { stepText } from "../../src/cli/node-actions.ts";
import { runCaptured } from "./captured-io.ts";
import { startScripted, type Script } from "./scripted-control-plane.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function urlOf(script: Script): Promise<string> {
  const controlPlane = await startScripted(script);
  open.push(controlPlane);
  return controlPlane.url;
}

describe("nodes cordon and uncordon", () => {
  test("ask for the node that is named, and say what it does now", async () => {
    const asked: string[] = [];
    const note = (what: string) => (request: Pick<CordonNodeRequest, "nodeId">) => {
      asked.push(`${what} ${request.nodeId}`);
      return { node: { info: { nodeId: request.nodeId, cordoned: what === "cordon" }, state: NodeState.AVAILABLE } };
    };
    const address = await urlOf({ cordonNode: note("cordon"), uncordonNode: note("uncordon") });
    expect(await runCaptured(["nodes", "cordon", "n1", "--address", address])).toMatchObject({
      code: 0,
      stdout: "n1 takes no new instances\n",
    });
    const json = await runCaptured(["nodes", "uncordon", "n1", "--json", "--address", address]);
    expect(JSON.parse(json.stdout)).toMatchObject({ node: { info: { nodeId: "n1", cordoned: false } } });
    expect(asked).toEqual(["cordon n1", "uncordon n1"]);
  });

  test("fail as the control plane says", async () => {
    const address = await urlOf({
      cordonNode: () => {
        throw fault(Reason.NODE_NOT_FOUND, 'Cannot cordon node "n9": no node has the id "n9"');
      },
    });
    expect(await runCaptured(["nodes", "cordon", "n9", "--address", address])).toMatchObject({ code: 3 });
  });
});

describe("nodes drain", () => {
  const steps = [
    create(DrainNodeResponseSchema, { step: { case: "begun", value: { instances: 2, movable: 1 } } }),
    create(DrainNodeResponseSchema, {}),
    create(DrainNodeResponseSchema, {
      step: { case: "moved", value: { instanceId: "a1", name: "web", nodeId: "n2", generation: 2n } },
    }),
    create(DrainNodeResponseSchema, {
      step: { case: "stayed", value: { instanceId: "b2", reason: Reason.NO_WITNESS, message: "Cannot move it" } },
    }),
    create(DrainNodeResponseSchema, {
      step: { case: "finished", value: { moved: 1, stayed: 1, witnessCopies: 3 } },
    }),
  ];

  test("tells each step as a line, and ends with 1 if something stays", async () => {
    const requests: DrainNodeRequest[] = [];
    const address = await urlOf({
      async *drainNode(request) {
        requests.push(request);
        yield* steps;
      },
    });
    const result = await runCaptured(["nodes", "drain", "n1", "--timeout", "10m", "--address", address]);
    expect(result.code).toBe(1);
    expect(result.stdout.trimEnd().split("\n")).toEqual([
      "n1 takes no new instances; of 2 instances on it 1 may move",
      "moved   a1 (web) to n2, generation 2",
      "stayed  b2: Cannot move it",
      "1 moved, 1 stayed; it still keeps 3 start orders for instances elsewhere",
    ]);
    expect(result.stderr).toBe("error: 1 instance stayed on n1; stop them, or drain it again\n");
    expect(requests[0]?.timeout && durationMs(requests[0].timeout)).toBe(600_000);
  });

  test("ends with 0 if nothing stays; with --json each step is a line of JSON", async () => {
    const address = await urlOf({
      async *drainNode() {
        yield { step: { case: "begun" as const, value: { instances: 0, movable: 0 } } };
        yield { step: { case: "finished" as const, value: { moved: 0, stayed: 0 } } };
      },
    });
    const result = await runCaptured(["nodes", "drain", "n1", "--json", "--address", address]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(
      result.stdout
        .trimEnd()
        .split("\n")
        .map((line) => Object.keys(JSON.parse(line) as object)),
    ).toEqual([["begun"], ["finished"]]);
  });

  test("shows names from elsewhere so that they do no harm", () => {
    const step = create(DrainNodeResponseSchema, {
      step: { case: "stayed", value: { instanceId: "a", message: "\u001b[2J" } },
    });
    expect(stepText("n", step)).not.toContain("\u001b");
  });
});
