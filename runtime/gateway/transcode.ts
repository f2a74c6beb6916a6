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
import { type FieldMask, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { fieldMaskPaths } from "./field-mask.js";
import { findField } from "./field-path.js";
import type { PathValue } from "./path.js";
import type { Route } from "./route.js";
import { UrlFields } from "./url-fields.js";

/** Turns HTTP requests of one route into its method's request messages, and the method's answers into JSON. */
export class Transcoder {
  private readonly input: DescMessage;
  private readonly url: UrlFields;
  private readonly bodyField: DescField | undefined;
  private readonly answerField: DescField | undefined;
  private readonly maskField: DescField | undefined;

  /** @throws Error if the route names fields that its method does not have, or that cannot stand there */
  constructor(
    private readonly route: Route,
    private readonly types: Registry,
  ) {
    const { method, path, body, responseBody } = route;
    this.input = method.input;
    try {
      this.bodyField = body === undefined || body === "*" ? undefined : ownField(method.input, "body", body);
      this.answerField =
        responseBody === undefined ? undefined : ownField(method.output, "response_body", responseBody);
      this.url = new UrlFields({ input: method.input, path, body: body === "*" ? "*" : this.bodyField });
    } catch (error) {
      throw new Error(`route ${route.verb} ${path} of ${method}: ${(error as Error).message}`, { cause: error });
    }
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
    const json = toJson(this.route.method.output, message, { alwaysEmitImplicit: true, registry: this.types });
    return this.answerField === undefined ? json : ((json as JsonObject)[this.answerField.jsonName] ?? null);
  }

  private readBody(message: Message, body: JsonValue): void {
    const { verb, path } = this.route;
    if (this.route.body === undefined) {
      throw new ConnectError(`${verb} ${path} takes no body: send fields as query parameters`, Code.InvalidArgument);
    }
    try {
      const json = this.bodyField === undefined ? body : { [this.bodyField.jsonName]: body };
      mergeFromJson(this.input, message, json, { registry: this.types });
    } catch (error) {
      throw new ConnectError((error as Error).message, Code.InvalidArgument, undefined, undefined, error);
    }
  }

  /** A PATCH that names no fields means those that its body names (AIP-134). */
  private deriveMask(message: Message, maskField: DescField, body: JsonValue): void {
    if (this.bodyField?.fieldKind !== "message") return;
    const masked = message as Message & Record<string, FieldMask | undefined>;
    if ((masked[maskField.localName]?.paths.length ?? 0) > 0) return;
    const { name, message: target } = this.bodyField;
    const paths = fieldMaskPaths(target, body).filter((path) => !this.url.inPath.has(`${name}.${path}`));
    masked[maskField.localName] = create(FieldMaskSchema, { paths });
  }
}

function ownField(message: DescMessage, option: string, name: string): DescField {
  const field = findField(message, name);
  if (field === undefined) throw new Error(`${option} "${name}" names no field of ${message.typeName}`);
  return field;
}
