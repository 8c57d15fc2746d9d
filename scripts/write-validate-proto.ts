/**
 * Writes proto/buf/validate/validate.proto from the descriptor inside the package @bufbuild/protovalidate, so that
 * buf works without a schema registry. Options of the fields themselves are left out: only the runtime library reads
 * them, and it carries its own descriptor.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { ScalarType, type DescEnum, type DescExtension, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const file = file_buf_validate_validate;
const lines: string[] = [
  "// Copyright 2023-2026 Buf Technologies, Inc. Licensed under the Apache License, Version 2.0.",
  "// Written by scripts/write-validate-proto.ts from the descriptor in @bufbuild/protovalidate; do not edit.",
  'syntax = "proto2";',
  "",
  `package ${file.proto.package};`,
  "",
  ...file.dependencies.map((dependency) => `import "${dependency.proto.name}";`),
  "",
];
for (const message of file.messages) printMessage(message, "");
for (const enumeration of file.enums) printEnum(enumeration, "");
for (const extension of file.extensions) printExtension(extension);

mkdirSync(new URL("../proto/buf/validate/", import.meta.url), { recursive: true });
writeFileSync(new URL("../proto/buf/validate/validate.proto", import.meta.url), `${lines.join("\n")}\n`);

function printMessage(message: DescMessage, indent: string): void {
  lines.push(`${indent}message ${message.name} {`);
  const inner = `${indent}  `;
  for (const nested of message.nestedEnums) printEnum(nested, inner);
  for (const nested of message.nestedMessages) printMessage(nested, inner);
  for (const field of message.fields.filter((field) => field.oneof === undefined)) {
    lines.push(`${inner}${label(field)}${declaration(field)}`);
  }
  for (const oneof of message.oneofs) {
    lines.push(`${inner}oneof ${oneof.name} {`);
    for (const field of oneof.fields) lines.push(`${inner}  ${declaration(field)}`);
    lines.push(`${inner}}`);
  }
  for (const range of message.proto.extensionRange) {
    const end = range.end === 536870912 ? "max" : String((range.end ?? 0) - 1);
    lines.push(`${inner}extensions ${String(range.start)} to ${end};`);
  }
  lines.push(`${indent}}`, "");
}

function printEnum(enumeration: DescEnum, indent: string): void {
  lines.push(`${indent}enum ${enumeration.name} {`);
  const numbers = new Set(enumeration.values.map((value) => value.number));
  if (numbers.size < enumeration.values.length) lines.push(`${indent}  option allow_alias = true;`);
  for (const value of enumeration.values) lines.push(`${indent}  ${value.name} = ${String(value.number)};`);
  lines.push(`${indent}}`, "");
}

function printExtension(extension: DescExtension): void {
  lines.push(`extend ${extension.extendee.typeName} {`, `  ${label(extension)}${declaration(extension)}`, "}", "");
}

function label(field: DescField | DescExtension): string {
  if (field.fieldKind === "list") return "repeated ";
  if (field.fieldKind === "map") return "";
  return field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED ? "required " : "optional ";
}

function declaration(field: DescField | DescExtension): string {
  return `${typeName(field)} ${field.name} = ${String(field.number)};`;
}

function typeName(field: DescField | DescExtension): string {
  if (field.fieldKind === "map") throw new Error(`Cannot print ${String(field)}: maps are not used in this file`);
  if (field.message) return `.${field.message.typeName}`;
  if (field.enum) return `.${field.enum.typeName}`;
  return ScalarType[field.scalar ?? ScalarType.STRING].toLowerCase();
}
