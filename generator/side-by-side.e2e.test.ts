import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "./dev/ports.js";
import { removePostgres } from "./dev/postgres.js";
import { buildImage } from "./image/compile.js";
import { descriptors } from "./image/descriptors.js";
import { readSettings } from "./project/settings.js";
import { bin, scaffold } from "./testing/cli.js";
import { contractProject } from "./testing/contract-project.js";
import { serveForTest } from "./testing/server.js";

const repository = fileURLToPath(new URL("../", import.meta.url));
const words = ["google/api/annotations", "google/api/field_behavior", "scaffold/v1/options"];
const proto = (name: string, text: string) =>
  `syntax = "proto3";\n\npackage ${name};\n\n${words.map((word) => `import "${word}.proto";\n`).join("")}\n${text}`;
const main = (name: string) => `import { serve } from "@protoscaffold/runtime/service";
import { ${name} } from "./handlers.js";

await serve(${name});
`;
const note = "message GetNoteRequest { string id = 1; }\nmessage Note { string id = 1; string text = 2; }\n";
const tag = (option: string, key: string) => `message GetTagRequest { string id = 1; }
message CreateTagRequest { Tag tag = 1; }
message Tag { ${option} string id = 1 ${key}; string name = 2; }
`;

/** Two versions as two processes, two as one, somebody else's package, and a service that runs elsewhere. */
const files = {
  "package.json": JSON.stringify({
    name: "desk",
    type: "module",
    scaffold: {
      names: {
        "google.spanner.admin.database.v1": "spanner-admin",
        "acme.database.v1": "acme-database",
        "acme.database.v2": "acme-database",
      },
      run: ["google.spanner.admin.database.v1.DatabaseAdmin"],
    },
  }),
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      paths: {
        "@protoscaffold/runtime/codegen/options/*.js": [join(repository, "runtime/options/*.ts")],
        "@protoscaffold/runtime/*": [join(repository, "runtime/*.ts")],
      },
    },
  }),
  "proto/desk/notes/v1/notes.proto": proto(
    "desk.notes.v1",
    `service NoteService {
  option (scaffold.v1.service) = {calls: "desk.notes.v2.NoteService"};
  rpc GetNote(GetNoteRequest) returns (Note) { option (google.api.http) = {get: "/v1/notes/{id}"}; }
}
${note}`,
  ),
  "proto/desk/notes/v2/notes.proto": proto(
    "desk.notes.v2",
    `service NoteService {
  option (scaffold.v1.service) = {calls: "acme.tax.v1.TaxService"};
  rpc GetNote(GetNoteRequest) returns (Note) { option (google.api.http) = {get: "/v2/notes/{id}"}; }
}
${note}`,
  ),
  "proto/acme/database/v1/tags.proto": proto(
    "acme.database.v1",
    `service TagService {
  option (scaffold.v1.service) = {calls: "acme.database.v2.TagService"};
  rpc GetTag(GetTagRequest) returns (Tag) { option (google.api.http) = {get: "/v1/tags/{id}"}; }
}
${tag("", "")}`,
  ),
  "proto/acme/database/v2/tags.proto": proto(
    "acme.database.v2",
    `service TagService {
  option (scaffold.v1.service) = {entities: "Tag"};
  rpc GetTag(GetTagRequest) returns (Tag) { option (google.api.http) = {get: "/v2/tags/{id}"}; }
  rpc CreateTag(CreateTagRequest) returns (Tag) { option (google.api.http) = {post: "/v2/tags" body: "tag"}; }
}
${tag("option (scaffold.v1.entity) = {};", "[(google.api.field_behavior) = IDENTIFIER]")}`,
  ),
  "proto/google/spanner/admin/database/v1/admin.proto": `syntax = "proto3";
package google.spanner.admin.database.v1;
import "google/api/annotations.proto";
service DatabaseAdmin {
  rpc GetDatabase(GetDatabaseRequest) returns (Database) {
    option (google.api.http) = {get: "/v1/{name=projects/*/databases/*}"};
  }
}
message GetDatabaseRequest { string name = 1; }
message Database { string name = 1; string state = 2; }
`,
  "proto/acme/tax/v1/tax.proto": `syntax = "proto3";
package acme.tax.v1;
service TaxService { rpc Rate(RateRequest) returns (RateResponse); }
message RateRequest { string id = 1; }
message RateResponse { int32 percent = 1; }
`,
  "services/notes/main.ts": main("notes"),
  "services/notes/handlers.ts": `import { noteService } from "../../generated/desk/notes/v1/notes_service.js";
export const notes = noteService({
  handlers: (service) => ({
    async getNote({ id }, context) {
      const { text } = await service.notesV2.getNote({ id }, context);
      return { id, text: \`v1 of \${text}\` };
    },
  }),
});
`,
  "services/notes-v2/main.ts": main("notes"),
  "services/notes-v2/handlers.ts": `import { noteService } from "../../generated/desk/notes/v2/notes_service.js";
export const notes = noteService({
  handlers: (service) => ({
    async getNote({ id }, context) {
      const { percent } = await service.tax.rate({ id }, context);
      return { id, text: \`\${percent} %\` };
    },
  }),
});
`,
  "services/acme-database/main.ts": `import { serve } from "@protoscaffold/runtime/service";
import { tagService as tagServiceV1 } from "../../generated/acme/database/v1/tags_service.js";
import { tagService } from "../../generated/acme/database/v2/tags_service.js";

const v1 = tagServiceV1({
  handlers: (service) => ({
    async getTag({ id }, context) {
      const { name } = await service.acmeDatabase.getTag({ id }, context);
      return { id, name: \`v1 of \${name}\` };
    },
  }),
});
await serve(tagService({ handlers: () => ({}) }), { migrations: new URL("./migrations/", import.meta.url), beside: [v1] });
`,
  "services/spanner-admin/main.ts": main("admin"),
  "services/spanner-admin/handlers.ts": `import { databaseAdmin } from "../../generated/google/spanner/admin/database/v1/admin_service.js";
export const admin = databaseAdmin({ handlers: () => ({ getDatabase: async ({ name }) => ({ name, state: "READY" }) }) });
`,
  "services/gateway/main.ts": `import { serveGateway } from "@protoscaffold/runtime/gateway";
import { system } from "../../generated/system.js";

await serveGateway(system);
`,
};

test("versions run as two processes and as one, and somebody else's package and service are used", async () => {
  const project = contractProject(files);
  const { root } = project;
  // As root, the data is kept where PostgreSQL's user may go.
  onTestFinished(() => removePostgres(join(root, ".scaffold", "postgres")));
  expect(await scaffold(root, ["generate"])).toMatchObject({ code: 0 });
  expect(project.read("services/acme-database/migrations/0001_create_tags.sql")).toContain('CREATE TABLE "tags"');

  const image = descriptors(await buildImage(await readSettings(root)));
  const tax: DescService = createFileRegistry(image).getService("acme.tax.v1.TaxService")!;
  const elsewhere = await serveForTest("2", (router) =>
    router.service(tax, { rate: (() => ({ percent: 19 })) as never }),
  );
  const address = await startSystem(root, { TAX_URL: elsewhere, PORT: String(await freePort()) });

  const json = async (path: string, init?: RequestInit) => (await fetch(address + path, init)).json();
  expect(await json("/v2/notes/1")).toEqual({ id: "1", text: "19 %" });
  expect(await json("/v1/notes/1")).toEqual({ id: "1", text: "v1 of 19 %" });
  const body = JSON.stringify({ id: "t", name: "blue" });
  const headers = { "content-type": "application/json" };
  expect(await json("/v2/tags", { method: "POST", headers, body })).toEqual({ id: "t", name: "blue" });
  expect(await json("/v1/tags/t")).toEqual({ id: "t", name: "v1 of blue" });
  expect(await json("/v1/tags/none")).toMatchObject({ code: 5 });
  expect(await json("/v1/projects/p/databases/d")).toEqual({ name: "projects/p/databases/d", state: "READY" });

  const ps = await scaffold(root, ["ps", "--json"]);
  const processes = (JSON.parse(ps.stdout) as { service: string }[]).map(({ service }) => service);
  expect(processes).toEqual(expect.arrayContaining(["acme-database", "notes", "notes-v2", "spanner-admin"]));
  const method = "acme.database.v1.TagService/GetTag";
  expect(JSON.parse((await scaffold(root, ["call", method, "--data", `{"id": "t"}`])).stdout)).toMatchObject({
    name: "v1 of blue",
  });
  expect(await scaffold(root, ["migrate", "verify"])).toMatchObject({
    code: 0,
    stdout: "acme-database: as its migrations say\n",
  });
});

async function startSystem(root: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, [bin, "dev"], { cwd: root, env: { ...process.env, ...env } });
  const ended = new Promise((resolve) => child.once("close", resolve));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (line.startsWith("ready ")) resolve(line.slice("ready ".length));
      });
    }
    child.once("exit", () => reject(new Error(`scaffold dev ended:\n${lines.join("\n")}`)));
  });
}
