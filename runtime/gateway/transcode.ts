import {
  create,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  mergeFromJson,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type FieldMask, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { fieldMaskPaths } from "./field-mask.js";
import { findField, nestJson, pathName } from "./field-path.js";
import type { PathValue } from "./path.js";
import { type ResolvedRoute, resolveRoute } from "./resolve.js";
import type { Route } from "./route.js";
import { UrlFields } from "./url-fields.js";

/** Turns HTTP requests of one route into its method's request messages, and the method's answers into JSON. */
export class Transcoder {
  private readonly input: DescMessage;
  private readonly resolved: ResolvedRoute;
  private readonly url: UrlFields;
  private readonly bodyPath: readonly DescField[] | undefined;
  private readonly maskField: DescField | undefined;

  /** @throws RouteError if the route cannot be served */
  constructor(
    private readonly route: Route,
    private readonly types: Registry,
  ) {
    const { method } = route;
    this.input = method.input;
    this.resolved = resolveRoute(route);
    this.url = new UrlFields(this.input, this.resolved);
    const { body } = this.resolved;
    this.bodyPath = body === "*" ? undefined : body;
    const mask = findField(method.input, "update_mask");
    if (route.verb === "PATCH" && mask?.message?.typeName === FieldMaskSchema.typeName) this.maskField = mask;
  }

  /**
   * Builds the request message. `body` is the parsed JSON body, undefined if the request has none. Where the path and
   * the body both set a field, the path wins.
   *
   * @throws ConnectError INVALID_ARGUMENT that names what is wrong
   * @throws URIError if the query's percent-encoding is not well-formed UTF-8
   */
  request(values: readonly PathValue[], query: string, body: JsonValue | undefined): Message {
    const message = create(this.input);
    if (body !== undefined) this.readBody(message, body);
    this.url.read(message, values, query);
    if (this.maskField !== undefined && body !== undefined) this.deriveMask(message, this.maskField, body);
    return message;
  }

  /** Prints an answer in ProtoJSON. Fields without presence are printed also when they hold their default. */
  response(message: Message): JsonValue {
    const path = this.resolved.responseBody ?? [];
    let holder = reflect(this.route.method.output, message);
    for (const field of path.slice(0, -1)) holder = holder.get(field) as ReflectMessage;
    const json = toJson(holder.desc, holder.message, { alwaysEmitImplicit: true, registry: this.types });
    const field = path.at(-1);
    return field === undefined ? json : ((json as JsonObject)[field.jsonName] ?? null);
  }

  private readBody(message: Message, body: JsonValue): void {
    const { verb, path } = this.route;
    if (this.route.body === undefined) {
      throw new ConnectError(`${verb} ${path} takes no body: send fields as query parameters`, Code.InvalidArgument);
    }
    try {
      const json = this.bodyPath === undefined ? body : nestJson(this.bodyPath, body);
      mergeFromJson(this.input, message, json, { registry: this.types });
    } catch (error) {
      throw new ConnectError((error as Error).message, Code.InvalidArgument, undefined, undefined, error);
    }
  }

  /** A PATCH that names no fields means those that its body names (AIP-134). */
  private deriveMask(message: Message, maskField: DescField, body: JsonValue): void {
    const field = this.bodyPath?.at(-1);
    if (field?.fieldKind !== "message") return;
    const masked = message as Message & Record<string, FieldMask | undefined>;
    if ((masked[maskField.localName]?.paths.length ?? 0) > 0) return;
    const name = pathName(this.bodyPath!);
    const paths = fieldMaskPaths(field.message, body).filter((path) => !this.resolved.inPath.has(`${name}.${path}`));
    masked[maskField.localName] = create(FieldMaskSchema, { paths });
  }
}
