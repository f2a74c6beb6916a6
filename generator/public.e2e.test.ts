import { cp, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildContract } from "./contract/build.js";
import { plan } from "./plan.js";
import { goModule, npmPackage } from "./testing/download.js";
import { compile } from "./testing/image.js";
import { typeCheck } from "./testing/type-check.js";

/** Contracts of products that know nothing of us, downloaded from the registries, whole and as they are. */

let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "scaffold-public-")));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("Pub/Sub and Firestore", async () => {
  const own = ["google/pubsub/v1", "google/firestore/v1"];
  const words = ["client", "launch_stage", "routing"].map((name) => `google/api/${name}.proto`);
  const paths = [...own, ...words, "google/type/latlng.proto"];
  const root = await npmPackage("google-proto-files@5.0.3", folder, paths);
  const { services, findings } = await generate({ google: join(root, "google") });
  expect(services).toEqual(
    ["firestore.v1.Firestore", "pubsub.v1.Publisher", "pubsub.v1.SchemaService", "pubsub.v1.Subscriber"].map(
      (name) => `google.${name}`,
    ),
  );
  // Two methods that stream both ways have HTTP rules all the same.
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual(Array(2).fill("note HTTP_RULE"));
});

test("etcd", async () => {
  const root = await goModule("go.etcd.io/etcd/api/v3@v3.5.17", folder);
  const gogo = await goModule("github.com/gogo/protobuf@v1.3.2", folder);
  const api = ["authpb", "membershippb", "mvccpb"].map((name) => [`etcd/api/${name}`, join(root, name)]);
  const { services, findings } = await generate({
    ".": join(root, "etcdserverpb"),
    ...Object.fromEntries(api),
    "gogoproto/gogo.proto": join(gogo, "gogoproto/gogo.proto"),
  });
  expect(services).toEqual(
    ["Auth", "Cluster", "KV", "Lease", "Maintenance", "Watch"].map((name) => `etcdserverpb.${name}`),
  );
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual(["note HTTP_RULE", "note HTTP_RULE"]);
});

test("containerd", async () => {
  const root = await goModule("github.com/containerd/containerd/api@v1.8.0", folder);
  const { services, findings } = await generate({ "github.com/containerd/containerd/api": root });
  expect(services).toContain("containerd.services.tasks.v1.Tasks");
  expect(services).toHaveLength(19);
  expect(findings).toEqual([]);
});

/** Generates from protos that are put at these paths, and has TypeScript compile the outcome. */
async function generate(protos: Readonly<Record<string, string>>) {
  const workspace = await mkdtemp(join(folder, "contract-"));
  for (const [to, from] of Object.entries(protos)) {
    await cp(from, join(workspace, to), { recursive: true, force: true });
  }
  const image = await compile(workspace);
  const { contract, findings } = buildContract(image);
  const files = await plan(contract, image, { generated: "generated", package: "@acme/generated" });
  expect(typeCheck(new Map(files.map(({ path, content }) => [path, content])))).toEqual([]);
  const services = contract.files.flatMap((file) => file.services.map(({ desc }) => desc.typeName));
  return { services: services.toSorted(), findings };
}
