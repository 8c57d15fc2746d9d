/** What every key-value backend must do; each backend's test file calls it once. */
import { afterEach, describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { KvProvider } from "../../../src/providers/kv/kv.ts";
import { describeChanges } from "./kv-contract-changes.ts";
import { describeData } from "./kv-contract-data.ts";
import { describeLimits } from "./kv-contract-limits.ts";
import { bytes, everyOperation, reason, type OpenEmptyKv } from "./kv-fixtures.ts";

/** Runs the contract against one backend. */
export function describeKvContract(backend: string, openEmpty: OpenEmptyKv): void {
  describe(`the key-value contract, on ${backend}`, () => {
    const opened: KvProvider[] = [];
    const open: OpenEmptyKv = async (limits) => {
      const kv = await openEmpty(limits);
      opened.push(kv);
      return kv;
    };
    afterEach(async () => {
      for (const kv of opened.splice(0)) await kv.close();
    });

    describeData(open);
    describeChanges(open);
    describeLimits(open);

    it("refuses every operation once it is closed, and may be closed twice", async () => {
      const kv = await open();
      await kv.set("b", "k", bytes("v"));
      await kv.close();
      await kv.close();
      for (const operate of everyOperation(kv, "b"))
        await expect(operate()).rejects.toEqual(reason(Reason.PROVIDER_STOPPED));
    });
  });
}
