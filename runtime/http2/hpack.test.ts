import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConnectionFault, ErrorCode } from "./errors.js";
import { HpackDecoder } from "./hpack-decoder.js";
import { ConstantBlock, HpackEncoder } from "./hpack-encoder.js";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.js";
import { Output } from "./output.js";

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}

function decode(decoder: HpackDecoder, bytes: Buffer): string[] {
  return decoder.decode(bytes, 0, bytes.length).fields.map(({ name, value }) => `${name}: ${value}`);
}

function encode(encoder: HpackEncoder, fields: readonly string[] | ConstantBlock): Buffer {
  const output = new Output(() => true);
  output.reserve(encoder.room(fields instanceof ConstantBlock ? fields.fields : fields));
  if (fields instanceof ConstantBlock) encoder.encodeConstant(fields, output);
  else encoder.encode(fields, output);
  return Buffer.from(output.buffer.subarray(0, output.at));
}

function codeOf(run: () => unknown): number | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof ConnectionFault) return error.code;
    throw error;
  }
  return undefined;
}

describe("the examples of RFC 7541, appendix C,", () => {
  const requests = [
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
    [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
  ];
  const cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
  const responses = [
    [
      ":status: 302",
      "cache-control: private",
      "date: Mon, 21 Oct 2013 20:13:21 GMT",
      "location: https://www.example.com",
    ],
    [
      ":status: 307",
      "cache-control: private",
      "date: Mon, 21 Oct 2013 20:13:21 GMT",
      "location: https://www.example.com",
    ],
    [
      ":status: 200",
      "cache-control: private",
      "date: Mon, 21 Oct 2013 20:13:22 GMT",
      "location: https://www.example.com",
      "content-encoding: gzip",
      `set-cookie: ${cookie}`,
    ],
  ];

  test.each([
    [
      "C.3: requests without Huffman coding",
      4096,
      [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ],
      requests,
    ],
    [
      "C.4: requests with Huffman coding",
      4096,
      [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ],
      requests,
    ],
    [
      "C.5: responses without Huffman coding, with evictions",
      256,
      [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
      ],
      responses,
    ],
    [
      "C.6: responses with Huffman coding, with evictions",
      256,
      [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ],
      responses,
    ],
  ])("%s", (_name, tableSize, blocks, expected) => {
    const decoder = new HpackDecoder(tableSize, 16_384);
    expect(blocks.map((block) => decode(decoder, hex(block)))).toEqual(expected);
  });
});

describe("Huffman coding", () => {
  const coded = (text: string) => {
    const bytes = Buffer.alloc(huffmanLength(text));
    expect(encodeHuffman(text, bytes, 0)).toBe(bytes.length);
    return bytes;
  };

  test("gives back every text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = Buffer.from(bytes).toString("latin1");
        const encoded = coded(text);
        const target = Buffer.alloc(400);
        const length = decodeHuffman(encoded, 0, encoded.length, target);
        expect(target.toString("latin1", 0, length)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["a whole byte of padding", "1fff"],
    ["padding that is not all 1", "18"],
    ["the end of string, in the middle", "fffffffc"],
  ])("refuses %s", (_name, bytes) => {
    const source = hex(bytes);
    expect(decodeHuffman(source, 0, source.length, Buffer.alloc(100))).toBe(-1);
  });
});

describe("a decoder refuses", () => {
  test.each([
    ["an index of 0", "80"],
    ["an index that no table has", "be"],
    ["an integer that is cut off", "ff"],
    ["an integer without end", "ffffffffffffffff7f"],
    ["a text that is cut off", "400a6b"],
    ["a text of which only the length is there", "4005"],
    ["a block that ends before a value", "400161"],
    ["Huffman code that is none", "4082ffff0161"],
    ["a table that is larger than was allowed", "3fe21f"],
    ["a new table size after a field", "8220"],
  ])("%s", (_name, block) => {
    expect(codeOf(() => decode(new HpackDecoder(4096, 16_384), hex(block)))).toBe(ErrorCode.COMPRESSION_ERROR);
  });

  test("nothing in a way that RFC 7541 does not name", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (blocks) => {
        const decoder = new HpackDecoder(4096, 1_000);
        for (const block of blocks) {
          const code = codeOf(() => decode(decoder, Buffer.from(block)));
          if (code !== undefined) {
            expect(code).toBe(ErrorCode.COMPRESSION_ERROR);
            return;
          }
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

test("a list that is too large is cut, and the table follows nevertheless", () => {
  const decoder = new HpackDecoder(4096, 200);
  // A bomb: one long field enters the table, and single bytes refer to it again and again.
  const bomb = Buffer.concat([hex("4001617fb916"), Buffer.alloc(3_000, "b")]);
  const block = decoder.decode(Buffer.concat([bomb, Buffer.alloc(5_000, 0xbe)]), 0, bomb.length + 5_000);
  expect(block.isTooLarge).toBe(true);
  expect(block.fields).toHaveLength(0);
  expect(decoder.decode(hex("be"), 0, 1).isTooLarge).toBe(true);
  expect(decode(decoder, hex("82"))).toEqual([":method: GET"]);
});

describe("an encoder", () => {
  const name = fc.constantFrom(":path", "content-type", "grpc-status", "te", "x-a", "authorization", "grpc-timeout");
  const value = fc.string({ unit: fc.constantFrom("a", "/", "é", " ", "~", "0"), maxLength: 120 });

  test("and a decoder agree, whatever the fields and the table's sizes are", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.array(fc.tuple(name, value), { maxLength: 8 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 5_000 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(4096, 1_000_000);
        for (const each of steps) {
          if (typeof each === "number") encoder.setMaxTableSize(each);
          else {
            const block = encode(encoder, each.flat());
            expect(decode(decoder, block)).toEqual(each.map((pair) => pair.join(": ")));
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("writes a block that is the same again in one byte for each field that it keeps", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096, 16_384);
    const head = new ConstantBlock([":status", "200", "content-type", "application/grpc+proto"]);
    const first = encode(encoder, head);
    expect(encode(encoder, head)).toEqual(hex("88be"));
    expect(decode(decoder, first)).toEqual(decode(decoder, hex("88be")));
    // Another entry moves it.
    encode(encoder, ["grpc-status", "0"]);
    expect(encode(encoder, head)).toEqual(hex("88bf"));
    expect(encode(encoder, head)).toEqual(hex("88bf"));
  });

  test("begins with the smallest table size that was asked for, and keeps nothing where nothing may be kept", () => {
    const encoder = new HpackEncoder();
    encode(encoder, ["te", "trailers"]);
    encoder.setMaxTableSize(0);
    encoder.setMaxTableSize(100);
    expect(encode(encoder, [":method", "GET"])).toEqual(hex("203f4582"));
    encoder.setMaxTableSize(0);
    expect(encode(encoder, [":method", "GET"])).toEqual(hex("2082"));
    expect(encode(encoder, ["te", "a"])).toEqual(hex("00027465 0161"));
  });

  test("marks secrets as never to be indexed", () => {
    expect(encode(new HpackEncoder(), ["authorization", "b"])[0]).toBe(0x1f);
  });
});

test("blocks that are the same are read once, as long as the table is as it was", () => {
  const decoder = new HpackDecoder(4096, 16_384);
  decode(decoder, hex("40016101 62"));
  const read = () => decoder.decode(hex("82be"), 0, 2);
  expect(read()).toBe(read());
  expect(read().get("a")).toBe("b");
  decode(decoder, hex("40016301 64"));
  expect(read().get("c")).toBe("d");
});
