import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "@protoscaffold/runtime/codegen/options/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "@protoscaffold/runtime/codegen/options/grpc/reflection/v1alpha/reflection_pb.js";
import { resolveService, type Schema, schemaOf } from "./schema.js";

type Ask = (request: MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]) => Promise<Answer>;
type Answer = ServerReflectionResponse["messageResponse"];

/**
 * Reads the schema from the server (gRPC server reflection, v1 or else v1alpha).
 *
 * @param service the service, or the end of its name; undefined for all services
 */
export async function reflect(transport: Transport, service: string | undefined): Promise<Schema> {
  const ask = await connect(transport);
  const listed = await ask({ case: "listServices", value: "" });
  const names = listed.case === "listServicesResponse" ? listed.value.service.map(({ name }) => name) : [];
  const wanted = service === undefined ? names : [resolveService(service, names)];

  const files = new Map<string, FileDescriptorProto>();
  for (const name of wanted) add(files, await ask({ case: "fileContainingSymbol", value: name }));
  for (;;) {
    // A server may send a file without its imports.
    const missing = [...files.values()].flatMap((file) => file.dependency).find((name) => !files.has(name));
    if (missing === undefined) break;
    add(files, await ask({ case: "fileByFilename", value: missing }));
    if (!files.has(missing))
      throw new Error(`the server's reflection does not know ${missing}, which another file imports`);
  }
  const schema = schemaOf(create(FileDescriptorSetSchema, { file: inOrder(files) }));
  return { ...schema, services: schema.services.filter(({ typeName }) => wanted.includes(typeName)) };
}

async function connect(transport: Transport): Promise<Ask> {
  const asker =
    (version: typeof ServerReflection | typeof ServerReflectionV1Alpha): Ask =>
    async (messageRequest) => {
      const client = createClient(version as typeof ServerReflection, transport);
      for await (const { messageResponse } of client.serverReflectionInfo(once({ messageRequest }))) {
        if (messageResponse.case !== "errorResponse") return messageResponse;
        throw new ConnectError(messageResponse.value.errorMessage, messageResponse.value.errorCode);
      }
      throw new Error("the server's reflection does not answer");
    };
  try {
    await asker(ServerReflection)({ case: "listServices", value: "" });
    return asker(ServerReflection);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.Unimplemented) throw error;
    return asker(ServerReflectionV1Alpha);
  }
}

async function* once<T>(value: T): AsyncIterable<T> {
  yield value;
}

function add(files: Map<string, FileDescriptorProto>, answer: Answer): void {
  if (answer.case !== "fileDescriptorResponse") return;
  for (const bytes of answer.value.fileDescriptorProto) {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    files.set(file.name, file);
  }
}

/** Sorts files after their imports, as in a FileDescriptorSet. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const visit = (name: string) => {
    const file = files.get(name);
    if (file === undefined || ordered.has(file)) return;
    for (const dependency of file.dependency) visit(dependency);
    ordered.add(file);
  };
  for (const name of files.keys()) visit(name);
  return [...ordered];
}
