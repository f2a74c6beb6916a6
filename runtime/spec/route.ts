import type { DescMethod } from "@bufbuild/protobuf";

/** One google.api.http binding of a method. */
export interface Route {
  readonly verb: "GET" | "PUT" | "POST" | "DELETE" | "PATCH";
  /** A path template, as google.api.http defines it: `/v1/orders/{id}:cancel`. */
  readonly path: string;
  /** The request field that the body holds, in proto spelling; `*` for the whole request. Absent: no body. */
  readonly body?: string;
  /** The answer's field that is sent, in proto spelling. Absent: the whole answer. */
  readonly responseBody?: string;
  readonly method: DescMethod;
}
