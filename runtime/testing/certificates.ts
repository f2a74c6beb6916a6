import { generate } from "selfsigned";

/** A certificate and its key, in PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** Who vouches for others. */
export interface Authority {
  /** What those must have who are to believe it. */
  readonly cert: string;
  /** A certificate for 127.0.0.1, for servers and clients. */
  issue(name: string): Promise<Identity>;
}

const kind = { keyType: "ec", algorithm: "sha256" } as const;

/** A new authority that nobody believes yet. */
export async function authority(name: string): Promise<Authority> {
  const { cert, private: key } = await generate([{ name: "commonName", value: name }], {
    ...kind,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, digitalSignature: true, critical: true },
    ],
  });
  return {
    cert,
    async issue(subject) {
      const issued = await generate([{ name: "commonName", value: subject }], {
        ...kind,
        ca: { cert, key },
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "keyUsage", digitalSignature: true },
          { name: "extKeyUsage", serverAuth: true, clientAuth: true },
          { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
        ],
      });
      return { cert: issued.cert, key: issued.private };
    },
  };
}
