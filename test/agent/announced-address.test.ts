import { describe, expect, test } from "vitest";
import { announcedAddress, assertAnnounceable } from "../../src/agent/announced-address.ts";

const HERE = "http://127.0.0.1:7420";
const ELSEWHERE = "http://cp.example:7420";

function refusalOf(host: string, controlPlanes: readonly string[], advertise?: string): string {
  try {
    assertAnnounceable({ host, controlPlanes, advertise });
    return "";
  } catch (error) {
    return String(error);
  }
}

describe("an agent without --advertise", () => {
  test.each(["127.0.0.1", "localhost", "::1", "0.0.0.0", "::", "[::]"])(
    "on %s belongs to a control plane of this machine only",
    (host) => {
      expect(refusalOf(host, [HERE, "http://localhost:1", "http://[::1]:2"])).toBe("");
      expect(refusalOf(host, [HERE, ELSEWHERE])).toMatch(
        /Cannot announce this agent to http:\/\/cp\.example:7420: .*set --advertise/,
      );
    },
  );

  test("on an address of its own may belong to any", () => {
    expect(refusalOf("10.0.0.7", [ELSEWHERE])).toBe("");
    expect(announcedAddress({ host: "10.0.0.7", advertise: undefined, controlPlanes: [] }, "http://10.0.0.7:1")).toBe(
      "http://10.0.0.7:1",
    );
  });

  test("on all addresses is announced by one that can be dialled", () => {
    for (const [host, url] of [
      ["0.0.0.0", "http://0.0.0.0:7421"],
      ["::", "http://[::]:7421"],
    ] as const)
      expect(announcedAddress({ host, advertise: undefined, controlPlanes: [HERE] }, url)).toBe(
        "http://127.0.0.1:7421",
      );
  });
});

test("an agent with --advertise is announced by it, wherever it listens", () => {
  expect(refusalOf("127.0.0.1", [ELSEWHERE], "http://rack-7:7421")).toBe("");
  expect(
    announcedAddress(
      { host: "0.0.0.0", advertise: "http://rack-7:7421", controlPlanes: [ELSEWHERE] },
      "http://0.0.0.0:7421",
    ),
  ).toBe("http://rack-7:7421");
});
