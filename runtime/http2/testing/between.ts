import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { FrameType } from "../frames.js";

/** A relay between a client and a server that can do something else with the next PING than passing it on. */
export class Between {
  readonly clients = new Set<Socket>();
  onPing: ((client: Socket) => void) | undefined;
  pings = 0;
  port = 0;
  #server: Server | undefined;

  async start(to: number): Promise<void> {
    this.#server = createServer((client) => {
      const upstream = connect(to, "127.0.0.1");
      this.clients.add(client.on("error", () => undefined).once("close", () => this.clients.delete(client)));
      client.once("close", () => upstream.destroy());
      upstream
        .on("error", () => undefined)
        .once("close", () => client.destroy())
        .pipe(client);
      client.on("data", (chunk: Buffer) => {
        // A PING after a silence comes alone.
        if (chunk.length !== 17 || chunk[3] !== FrameType.PING || chunk[4] !== 0) upstream.write(chunk);
        else {
          this.pings++;
          if (this.onPing === undefined) upstream.write(chunk);
          else this.onPing(client);
          this.onPing = undefined;
        }
      });
    }).listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as { port: number }).port;
  }

  stop(): void {
    this.#server?.close();
    for (const client of this.clients) client.destroy();
  }
}
