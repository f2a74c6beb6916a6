import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Admin } from "@platformatic/kafka";
import { choosePorts, freePort } from "../../generator/dev/ports.js";
import { kafkaJars } from "./kafka/jars.js";

/** An Apache Kafka broker of a test's own, which may be killed and come back. */
export interface KafkaEngine {
  /** Where everybody may do everything. */
  readonly url: string;
  /** Where people authenticate by SCRAM-SHA-512 and may do what ACLs say: `kafka://user:password@…?sasl=scram-sha-512`. */
  saslUrl(user: keyof typeof users): string;
  /** The same over TLS, by a certificate that `certificate` holds. */
  tlsUrl(user: keyof typeof users): string;
  readonly certificate: string;
  /** The library's own client, as one who may do everything. */
  readonly admin: Admin;
  start(): Promise<void>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** Whom the broker knows. */
const users = { shop: "shop-secret", stranger: "stranger-secret" } as const;

const KEY_STORE = "keys.p12";
const KEY_STORE_PASSWORD = "keystore";

/** Starts one broker (KRaft, its own controller) on free ports. Needs Java 17; and Maven, the first time. */
export async function kafkaEngine(): Promise<KafkaEngine> {
  const classpath = join(await kafkaJars(), "*");
  const directory = await mkdtemp(join(tmpdir(), "scaffold-kafka-"));
  const port = await freePort();
  // Free ports that were asked for one by one may be the same.
  const [sasl, tls, controller] = [...(await choosePorts(port, ["sasl", "tls", "controller"])).values()] as [
    number,
    number,
    number,
  ];
  const properties = join(directory, "server.properties");
  await writeFile(properties, settings({ directory, port, sasl, tls, controller }));
  const certificate = join(directory, "certificate.pem");
  await Promise.all([format(classpath, properties), makeKeys(join(directory, KEY_STORE), certificate)]);
  const admin = new Admin({
    clientId: "test",
    bootstrapBrokers: [`127.0.0.1:${port}`],
    retries: 100,
    retryDelay: 100,
    timeout: 30_000,
  });
  const output = await open(join(directory, "output.log"), "a");
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const flags = [
      "-Xmx512m",
      "-XX:+UseSerialGC",
      "-XX:TieredStopAtLevel=1",
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    ];
    const child = spawn("java", [...flags, "-cp", classpath, "kafka.Kafka", properties], {
      stdio: ["ignore", output.fd, output.fd],
    });
    server = child;
    let ended: string | undefined;
    child.once("exit", (code, signal) => {
      ended = signal ?? `exit code ${code}`;
    });
    for (;;) {
      const probe = new Admin({ clientId: "probe", bootstrapBrokers: [`127.0.0.1:${port}`], retries: false });
      try {
        await probe.listTopics();
        return;
      } catch (cause) {
        if (ended !== undefined) {
          const last = (await readFile(join(directory, "output.log"), "utf8")).slice(-4000);
          throw new Error(`Kafka ended with ${ended}: ${last}`, { cause });
        }
        await sleep(100);
      } finally {
        await probe.close();
      }
    }
  }

  async function kill(): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
  }

  await start();
  return {
    url: `kafka://127.0.0.1:${port}`,
    saslUrl: (user) => `kafka://${user}:${users[user]}@127.0.0.1:${sasl}?sasl=scram-sha-512`,
    tlsUrl: (user) => `kafka+ssl://${user}:${users[user]}@127.0.0.1:${tls}`,
    certificate,
    admin,
    start,
    kill,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    async remove() {
      await admin.close();
      await kill();
      await output.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function format(classpath: string, properties: string): Promise<void> {
  const scram = Object.entries(users).map(([name, password]) => `SCRAM-SHA-512=[name=${name},password=${password}]`);
  await promisify(execFile)("java", [
    ...["-XX:TieredStopAtLevel=1", "-cp", classpath, "kafka.tools.StorageTool", "format"],
    ...["--config", properties, "--cluster-id", "c2NhZmZvbGQta2Fma2EtMQ"],
    ...scram.flatMap((user) => ["--add-scram", user]),
  ]).catch((cause: unknown) => {
    throw new Error("Kafka's storage could not be formatted: it takes a java of 17 or newer on the PATH", { cause });
  });
}

/** A key for TLS, and the certificate by which it is known. */
async function makeKeys(file: string, certificate: string): Promise<void> {
  const store = ["-alias", "kafka", "-keystore", file, "-storepass", KEY_STORE_PASSWORD];
  const key = [
    "-storetype",
    "PKCS12",
    "-keyalg",
    "EC",
    "-dname",
    "CN=kafka",
    "-ext",
    "SAN=ip:127.0.0.1",
    "-ext",
    "BC=ca:true",
  ];
  await promisify(execFile)("keytool", ["-genkeypair", ...store, ...key]);
  await promisify(execFile)("keytool", ["-exportcert", "-rfc", ...store, "-file", certificate]);
}

interface Settings {
  readonly directory: string;
  readonly port: number;
  readonly sasl: number;
  readonly tls: number;
  readonly controller: number;
}

function settings({ directory, port, sasl, tls, controller }: Settings): string {
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": 1,
    listeners: `OPEN://127.0.0.1:${port},SASL://127.0.0.1:${sasl},TLS://127.0.0.1:${tls},CONTROLLER://127.0.0.1:${controller}`,
    "listener.security.protocol.map": "OPEN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "OPEN",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
    "listener.name.tls.scram-sha-512.sasl.jaas.config": scram,
    "listener.name.tls.ssl.keystore.type": "PKCS12",
    "listener.name.tls.ssl.keystore.location": join(directory, KEY_STORE),
    "listener.name.tls.ssl.keystore.password": KEY_STORE_PASSWORD,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "log.dirs": join(directory, "logs"),
    "auto.create.topics.enable": false,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    // A broker that comes back may register once its controller holds it for gone.
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 2000,
    // What a broker waits for in production, so that members which start together begin with one assignment.
    "group.initial.rebalance.delay.ms": 0,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
