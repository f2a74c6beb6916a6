import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { hideInherited } from "../codec/create.js";
import { errorFor } from "../errors/error.js";
import { violated } from "./violations.js";

const validator = createValidator();

/**
 * Compiles the rules of messages, which takes some 100 ms the first time, so that no call has to wait for it. Throws an
 * Error that names every message whose rules do not compile.
 */
export function prepareValidation(schemas: Iterable<DescMessage>): void {
  const faults = [...new Set(schemas)].flatMap((schema) => {
    const { kind, error } = validator.validate(schema, made(schema));
    return kind === "error" && error.name === "CompilationError" ? `${schema.typeName}: ${error.message}` : [];
  });
  if (faults.length > 0) throw new Error(["these messages have rules that cannot be checked:", ...faults].join("\n  "));
}

/**
 * Checks a message against the `buf.validate` rules of its contract. Throws INVALID_ARGUMENT that names every field that
 * breaks one, in its text and, for programs, as google.rpc.BadRequest.
 */
export function validateMessage(schema: DescMessage, message: unknown): void {
  hideInherited(schema, message as Message);
  const result = validator.validate(schema, message as Message);
  if (result.kind === "valid") return;
  if (result.kind === "error") {
    throw errorFor("RULE_NOT_EVALUABLE", `${schema.typeName} cannot be checked: ${result.error.message}`);
  }
  throw violated(
    result.violations.map((violation) => ({
      field: pathToString(violation.field),
      description: violation.message,
      reason: reasonOf(violation),
    })),
  );
}

function made(schema: DescMessage): Message {
  const message = create(schema);
  hideInherited(schema, message);
  return message;
}

/** The rule's id as AIP-193 wants reasons spelled: `string.min_len` -> `STRING_MIN_LEN`. */
function reasonOf({ ruleId }: Violation): string {
  return ruleId.replaceAll(/[^A-Za-z0-9]+/g, "_").toUpperCase();
}
