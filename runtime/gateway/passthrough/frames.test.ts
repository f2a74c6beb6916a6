import fc from "fast-check";
import { expect, it } from "vitest";
import { FrameTracker } from "./frames.js";

function frame(payload: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

it("knows where frames end, however the bytes are cut", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 });
  fc.assert(
    fc.property(payloads, fc.nat(), fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (sent, cutAt, sizes) => {
      const frames = sent.map(frame);
      const ends = [0];
      for (const { length } of frames) ends.push(ends.at(-1)! + length);
      const bytes = Buffer.concat(frames);
      const end = cutAt % (bytes.length + 1);
      const tracker = new FrameTracker();
      for (let at = 0; at < end; ) {
        const size = Math.min(sizes.next().value, end - at);
        tracker.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(tracker.betweenFrames).toBe(ends.includes(end));
    }),
  );
});
