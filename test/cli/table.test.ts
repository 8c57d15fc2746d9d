import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPaint } from "../../src/cli/colour.ts";
import { counted, printable } from "../../src/cli/printable.ts";
import { detailsText, tableText, type Column } from "../../src/cli/table.ts";

type Row = { readonly name: string; readonly count: number };
const columns: Column<Row>[] = [
  { title: "NAME", cell: (row) => row.name },
  { title: "COUNT", cell: (row) => String(row.count), align: "right" },
  { title: "LAST", cell: (row) => row.name, tone: () => "good" },
];

describe("tables", () => {
  test("align their columns, right where asked, and show an empty cell as -", () => {
    expect(
      tableText(columns, [
        { name: "a", count: 100_000 },
        { name: "", count: 2 },
      ]),
    ).toBe("NAME   COUNT  LAST\na     100000  a\n-          2  -\n");
  });

  test("have titles without rows", () => {
    expect(tableText(columns, [])).toBe("NAME  COUNT  LAST\n");
  });

  test("with colours show the same text", () => {
    const rows = [{ name: "abc", count: 1 }];
    const painted = tableText(columns, rows, createPaint(true));
    expect(painted).toContain("\u001b[32mabc\u001b[0m");
    expect(stripVTControlCharacters(painted)).toBe(tableText(columns, rows));
    expect(tableText(columns, rows, createPaint(false))).toBe(tableText(columns, rows));
  });

  test("keep every row on one line of equal columns, whatever is in the cells", () => {
    const row = fc.record({ name: fc.string({ unit: "binary", maxLength: 12 }), count: fc.nat({ max: 99_999 }) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
        const lines = tableText(columns, rows).trimEnd().split("\n");
        expect(lines).toHaveLength(rows.length + 1);
        const at = lines[0]?.indexOf("COUNT") ?? 0;
        for (const line of lines) expect([...line][at - 1]).toBe(" ");
      }),
      { numRuns: 100 },
    );
  });

  test("of details align their values and indent further lines", () => {
    expect(
      detailsText([
        ["id", "x"],
        ["longer", ["a", "b"]],
        ["none", []],
      ]),
    ).toBe("id:      x\nlonger:  a\n         b\nnone:    -\n");
  });
});

describe("text from elsewhere", () => {
  test("cannot move the cursor or turn the direction of writing", () => {
    expect(printable("a\u001b[2Jb\u202ec\u0007")).toBe("a\\u001b[2Jb\\u202ec\\u0007");
    expect(printable("two\r\nlines")).toBe("two lines");
  });

  test("never keeps a control character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => !/\p{Cc}/u.test(printable(text))),
      { numRuns: 1000 },
    );
  });

  test("counts things", () => {
    expect([counted(1, "node"), counted(0, "node")]).toEqual(["1 node", "0 nodes"]);
  });
});
