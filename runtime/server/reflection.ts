import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection, type ServerReflectionRequest } from "../options/grpc/reflection/v1/reflection_pb.js";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as ServerReflectionRequestAlpha,
} from "../options/grpc/reflection/v1alpha/reflection_pb.js";

/**
 * Serves the contracts of `services`, so that tools such as `buf curl` and `grpcurl` can call them without their files:
 * `grpc.reflection.v1`, and `v1alpha` for older tools (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
 */
export function reflectionRoutes(services: readonly DescService[]): (router: ConnectRouter) => void {
  const index = indexOf([...services, ServerReflection, ServerReflectionAlpha]);
  return (router) => {
    router.service(ServerReflection, { serverReflectionInfo: (requests) => answerEach(index, requests) });
    router.service(ServerReflectionAlpha, { serverReflectionInfo: (requests) => answerEach(index, requests) });
  };
}

/** Where to find what tools ask for. */
interface Index {
  readonly services: readonly string[];
  /** Files by name, `shop/orders/v1/orders.proto`, and by the full name of everything declared in them. */
  readonly files: ReadonlyMap<string, DescFile>;
  readonly symbols: ReadonlyMap<string, DescFile>;
  /** By full name of the extended message, then by number. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function indexOf(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of closureOf(services.map((service) => service.file))) {
    files.set(file.proto.name, file);
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      const members = type.kind === "message" ? type.members : type.kind === "service" ? type.methods : [];
      for (const member of members) symbols.set(`${type.typeName}.${member.name}`, file);
      if (type.kind === "enum") {
        // The scope of enum values is the enum's own: protobuf names them as C++ does.
        const scope = type.typeName.slice(0, type.typeName.lastIndexOf(".") + 1);
        for (const value of type.values) symbols.set(scope + value.name, file);
      }
      if (type.kind === "extension") {
        const { typeName } = type.extendee;
        extensions.set(typeName, (extensions.get(typeName) ?? new Map()).set(type.number, file));
      }
    }
  }
  return { services: services.map((service) => service.typeName).sort(), files, symbols, extensions };
}

/** The files, and all that they import. */
function closureOf(files: readonly DescFile[]): Set<DescFile> {
  // A set goes on to what is added while it is walked.
  const closure = new Set(files);
  for (const file of closure) for (const dependency of file.dependencies) closure.add(dependency);
  return closure;
}

async function* answerEach<R extends ServerReflectionRequest | ServerReflectionRequestAlpha>(
  index: Index,
  requests: AsyncIterable<R>,
) {
  const sent = new Set<DescFile>();
  for await (const request of requests) {
    yield { validHost: request.host, originalRequest: request, messageResponse: answer(index, request, sent) };
  }
}

function answer(
  index: Index,
  { messageRequest: asked }: ServerReflectionRequest | ServerReflectionRequestAlpha,
  sent: Set<DescFile>,
) {
  switch (asked.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.services.map((name) => ({ name })) } } as const;
    case "fileByFilename":
      return descriptors(index.files.get(asked.value), `file ${asked.value}`, sent);
    case "fileContainingSymbol":
      return descriptors(index.symbols.get(asked.value), `symbol ${asked.value}`, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const file = index.extensions.get(containingType)?.get(extensionNumber);
      return descriptors(file, `extension ${extensionNumber} of ${containingType}`, sent);
    }
    case "allExtensionNumbersOfType": {
      if (!index.symbols.has(asked.value)) return failure(Code.NotFound, `type ${asked.value} is not known here`);
      const extensionNumber = [...(index.extensions.get(asked.value)?.keys() ?? [])].sort((a, b) => a - b);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: asked.value, extensionNumber } } as const;
    }
    default:
      return failure(Code.InvalidArgument, "the request asks for nothing that is known here");
  }
}

/** The file, and of what it imports that which this stream has not carried yet. */
function descriptors(file: DescFile | undefined, wanted: string, sent: Set<DescFile>) {
  if (!file) return failure(Code.NotFound, `${wanted} is not known here`);
  const files = [...closureOf([file])].filter((each) => each === file || !sent.has(each));
  for (const each of files) sent.add(each);
  const fileDescriptorProto = files.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } } as const;
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse", value: { errorCode, errorMessage } } as const;
}
