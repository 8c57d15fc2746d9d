import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  deniedFolderPermission,
  envPermissions,
  folderPermission,
  netPermissions,
  topicPermissions,
} from "../../../src/cli/permissions/flag-values.ts";
import { checkedPermission } from "../../../src/cli/permissions/permission-rule.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";

describe("the values of permission flags", () => {
  test.each([
    [netPermissions(""), ["http:request"]],
    [netPermissions("a.example,*.b.example:8443"), ["http:domain:a.example", "http:domain:*.b.example:8443"]],
    [netPermissions("API.Example.com"), ["http:domain:api.example.com"]],
    [netPermissions("127.0.0.1:80,[::1]:80"), ["http:domain:127.0.0.1:80", "http:domain:[::1]:80"]],
    [envPermissions(""), ["env:*"]],
    [envPermissions("LANG, TZ"), ["env:LANG", "env:TZ"]],
    [topicPermissions("publish", ""), ["msg:publish:>"]],
    [topicPermissions("subscribe", "orders.*,audit.>"), ["msg:subscribe:orders.*", "msg:subscribe:audit.>"]],
    [[folderPermission("read", "./data::/data", "/home/u")], ["fs:read:/home/u/data::/data"]],
    [[folderPermission("write", "../up", "/home/u")], ["fs:write:/home/up"]],
    [[deniedFolderPermission("read", "", "/home/u")], ["fs:read:/"]],
    [[deniedFolderPermission("write", "secret", "/home/u")], ["fs:write:/home/u/secret"]],
  ])("%j are permissions of the API", (permissions, expected) => {
    expect(permissions).toEqual(expected);
    // The agent's own grammar takes each of them, in the same spelling.
    expect(permissions.map(checkedPermission)).toEqual(expected);
  });

  test.each([
    () => netPermissions("https://a.example/x"),
    () => netPermissions("a.example/x"),
    () => netPermissions("a:b"),
    () => netPermissions("a:65536"),
    () => netPermissions("user@a"),
    () => netPermissions(","),
    () => envPermissions("A=1"),
    () => envPermissions("A,"),
    () => topicPermissions("publish", "a..b"),
    () => topicPermissions("publish", "a.b*"),
    () => topicPermissions("subscribe", ">.a"),
    () => folderPermission("read", "", "/"),
    () => folderPermission("read", "a::b", "/"),
    () => folderPermission("read", "a::/b::/c", "/"),
    () => deniedFolderPermission("read", "a::/b", "/"),
  ])("%s is refused", (read) => {
    expect(read).toThrow(UsageError);
  });

  test("whatever they take, the agent's grammar takes or a mistake of usage is told", () => {
    const readers = [
      netPermissions,
      envPermissions,
      (text: string) => topicPermissions("publish", text),
      (text: string) => [folderPermission("read", text, "/work")],
    ];
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...readers), (text, reader) => {
        try {
          for (const permission of reader(text)) checkedPermission(permission);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
