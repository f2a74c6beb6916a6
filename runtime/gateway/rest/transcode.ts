import { create, type DescField, type DescMessage, type Message, type Registry } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type FieldMask, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { lacking, refusedJson } from "../../call/refused-json.js";
import { mergeJsonField, readJson } from "../../codec/protojson/read.js";
import { missingRequired } from "../../codec/protojson/required.js";
import { JsonPieces } from "../../codec/protojson/write.js";
import { errorFor } from "../../errors/error.js";
import type { Route } from "../../spec/route.js";
import { fieldMaskPaths } from "./field-mask.js";
import { findField, pathName } from "./field-path.js";
import type { PathValue } from "./path.js";
import { type ResolvedRoute, resolveRoute } from "./resolve.js";
import { UrlFields } from "./url-fields.js";

/** Decodes the HTTP requests of one route into request messages, and encodes response messages as JSON. */
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
   * Returns the request message. `body` is the JSON text of the body; undefined if there is none. If the path and the body set the
   * same field, the path wins. Two fields of a oneof are refused in any case.
   *
   * @throws ConnectError INVALID_ARGUMENT if a part of the request is invalid, which the error names
   * @throws URIError if the query's percent-encoding is not well-formed UTF-8
   */
  request(values: readonly PathValue[], query: string, body: string | undefined): Message {
    const message = body === undefined ? create(this.input) : this.readBody(body);
    this.url.read(message, values, query);
    if (this.maskField !== undefined && body !== undefined) this.deriveMask(message, this.maskField, body);
    const missing = missingRequired(this.input, message);
    if (missing !== undefined) throw lacking(missing);
    return message;
  }

  /** Encodes a response as ProtoJSON, in pieces. Fields without presence are included even if they have their default value. */
  response(message: Message): JsonPieces {
    const path = this.resolved.responseBody ?? [];
    let holder = reflect(this.route.method.output, message);
    for (const field of path.slice(0, -1)) {
      holder = (holder.isSet(field) ? holder.get(field) : reflect(field.message as DescMessage)) as ReflectMessage;
    }
    return new JsonPieces(holder.desc, holder.message, { alwaysEmitImplicit: true, registry: this.types }, path.at(-1));
  }

  private readBody(body: string): Message {
    const { verb, path } = this.route;
    if (this.route.body === undefined) {
      throw errorFor("BODY_INVALID", `${verb} ${path} takes no body: send fields as query parameters`);
    }
    const options = { registry: this.types };
    try {
      if (this.bodyPath === undefined) return readJson(this.input, body, options);
      const message = create(this.input);
      mergeJsonField(this.input, message, this.bodyPath, body, options);
      return message;
    } catch (error) {
      throw refusedJson(error);
    }
  }

  /** Sets the field mask of a PATCH without one to the fields of its body (AIP-134). */
  private deriveMask(message: Message, maskField: DescField, body: string): void {
    const field = this.bodyPath?.at(-1);
    if (field?.fieldKind !== "message") return;
    const masked = message as Message & Record<string, FieldMask | undefined>;
    if ((masked[maskField.localName]?.paths.length ?? 0) > 0) return;
    const name = pathName(this.bodyPath!);
    const paths = fieldMaskPaths(field.message, body).filter((path) => !this.resolved.inPath.has(`${name}.${path}`));
    masked[maskField.localName] = create(FieldMaskSchema, { paths });
  }
}
