import { create } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { emitCodec } from "../emit/codec.js";
import { layout } from "../emit/layout.js";
import { createEcmaScriptPlugin } from "../print/protoplugin.js";
import { version } from "../project/version.js";

const files = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** The codecs of Protobuf's own messages as the tool prints them, by their paths in runtime/codec/. */
export function wellKnownCodecs(): ReadonlyMap<string, string> {
  const plugin = createEcmaScriptPlugin({
    name: "protoc-gen-scaffold",
    version: `v${version}`,
    generateTs(schema) {
      for (const desc of files) {
        const path = desc.name;
        const f = schema.generateFile(`${path}_codec.ts`);
        f.preamble(desc);
        emitCodec({ desc, path, services: [], entities: [], events: [] }, f);
      }
    },
  });
  const request = create(CodeGeneratorRequestSchema, { parameter: "target=ts,import_extension=js" });
  return new Map(
    plugin.run(request).file.map(({ name, content }) => [
      name,
      layout(content.replace(/ with parameter .*$/m, ""))
        // The library does not call itself by its name.
        .replaceAll('"@protoscaffold/runtime/codegen/codec"', '"../../parts.js"'),
    ]),
  );
}
