import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TemporaryProject, temporaryProject } from "./project.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** A contract without findings: one service, one entity, one handwritten method. */
export const notesProto = `syntax = "proto3";

package desk.notes.v1;

import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "scaffold/v1/options.proto";

// Keeps notes.
service NoteService {
  option (scaffold.v1.service) = {entities: "Note"};

  // Returns one note.
  rpc GetNote(GetNoteRequest) returns (Note) {
    option (google.api.http) = {get: "/v1/notes/{id}"};
  }

  // Pins a note to the wall.
  rpc PinNote(PinNoteRequest) returns (PinNoteResponse);
}

// A note.
message Note {
  option (scaffold.v1.entity) = {table: "notes"};

  // Its id.
  string id = 1 [(google.api.field_behavior) = IDENTIFIER];
  // What it says.
  string text = 2;
}

message GetNoteRequest {
  // Its id.
  string id = 1;
}

message PinNoteRequest {
  // Its id.
  string id = 1;
}

message PinNoteResponse {}
`;

/** Where that contract is. */
export const notesPath = "proto/desk/notes/v1/notes.proto";

/** A project of its own with that contract, not yet generated, and this repository's node_modules. */
export function contractProject(files: Readonly<Record<string, string>> = {}): TemporaryProject {
  const project = temporaryProject({
    "package.json": `{"name": "desk", "private": true, "type": "module", "scaffold": {"package": "@desk/generated"}}\n`,
    "buf.yaml": [
      "version: v2",
      "modules: [{path: proto}]",
      "lint:",
      "  except: [RPC_REQUEST_RESPONSE_UNIQUE, RPC_RESPONSE_STANDARD_NAME]",
      "  ignore: [proto/buf, proto/google]",
      "",
    ].join("\n"),
    ".gitignore": "node_modules\n",
    [notesPath]: notesProto,
    ...files,
  });
  for (const words of ["buf", "google", "scaffold"]) {
    cpSync(join(repository, "proto", words), join(project.root, "proto", words), { recursive: true });
  }
  symlinkSync(join(repository, "node_modules"), join(project.root, "node_modules"));
  return project;
}
