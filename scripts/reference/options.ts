import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  createFileRegistry,
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { getComments } from "@bufbuild/protoplugin";
import { bufBinary } from "../../generator/image/buf.js";

/** Returns the page docs/reference/options.md: the vocabulary's options, with its comments. */
export function optionsPage(): string {
  const file = vocabulary();
  const extended = new Map(file.extensions.map((extension) => [extension.message as DescMessage, extension]));
  const messages = file.messages.map((message) => {
    const extension = extended.get(message);
    return section(extension ? `(${extension.typeName}), on a ${kindOf(extension)}` : message.name, message);
  });
  const enums = file.enums.map(enumSection);
  return `${intro}${[...messages, ...enums].join("")}`;
}

function vocabulary() {
  const args = ["build", "proto", "--path", "proto/scaffold", "--as-file-descriptor-set", "--output", "-"];
  const bytes = execFileSync(bufBinary(), args, { cwd: fileURLToPath(new URL("../../", import.meta.url)) });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  return registry.getFile("scaffold/v1/options.proto")!;
}

function section(title: string, message: DescMessage): string {
  const rows = message.fields.map((field) => `| \`${field.name}\` | ${typeOf(field)} | ${text(field)} |`);
  return `\n## ${title}\n\n${text(message)}\n\n| option | type | meaning |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function enumSection(type: DescEnum): string {
  const rows = type.values.map((value) => `| \`${value.name}\` | ${text(value)} |`);
  return `\n## ${type.name}\n\n${text(type)}\n\n| value | meaning |\n| --- | --- |\n${rows.join("\n")}\n`;
}

/** Returns a declaration's comment as one line of Markdown. */
function text(desc: Parameters<typeof getComments>[0]): string {
  const { leading = "" } = getComments(desc);
  return leading
    .trim()
    .replace(/\s*\n\s*/g, " ")
    .replaceAll("|", "\\|")
    .replace(/"[^"\s]*[._()/][^"\s]*"/g, (quoted) => `\`${quoted.slice(1, -1)}\``);
}

function typeOf(field: DescField): string {
  const list = field.fieldKind === "list" ? "repeated " : "";
  const type = field.message ?? field.enum;
  return type ? `${list}[${type.name}](#${type.name.toLowerCase()})` : `${list}${scalarNames[field.scalar!]}`;
}

const scalarNames: Readonly<Record<number, string>> = { 1: "double", 8: "bool", 9: "string", 13: "uint32" };

function kindOf({ extendee }: DescExtension): string {
  return extendee.name.replace("Options", "").toLowerCase();
}

const intro = `# Options

\`proto/scaffold/v1/options.proto\` declares what contracts say beyond Protobuf. It uses two extension numbers: 270100 on services, methods, messages and fields, and
270101 for \`event\`. The runtime honours every option; an option with a value that it cannot honour is a [finding](rules.md).

\`\`\`proto
import "scaffold/v1/options.proto";

service OrderService {
  option (scaffold.v1.service) = {
    entities: "Order"
    calls: "shop.payments.v1.PaymentService"
  };
  rpc PlaceOrder(PlaceOrderRequest) returns (Order) {
    option (scaffold.v1.method) = {timeout_ms: 5000, idempotency_key: "request_id"};
  }
}
\`\`\`

Contracts also use options that others have defined. The tool honours these:

| option | effect |
| --- | --- |
| \`google.api.http\` | the method's REST routes: see [REST](../guide/rest.md) |
| \`google.api.field_behavior\` | \`IDENTIFIER\`: the entity's key. \`OUTPUT_ONLY\`: cleared in every request before the handler runs. \`IMMUTABLE\`: standard updates refuse to change it. \`REQUIRED\`: a compensation must find it in the step's request |
| \`google.api.resource\`, \`google.api.resource_reference\` | a foreign key to another entity of the same service: see [Types](types.md#what-the-database-checks) |
| \`buf.validate\` | requests are checked before the handler runs; many rules become CHECK constraints: see [Types](types.md#what-the-database-checks) |
| \`idempotency_level\` | \`NO_SIDE_EFFECTS\`: Connect callers may use GET; \`reads\` is allowed |
| \`deprecated\` | generated code is marked \`@deprecated\` |

The rest of this page is printed from the comments in \`options.proto\`.
`;
