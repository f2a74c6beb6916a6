import { frameSizeError, protocolError, windowOverflow } from "./errors.js";
import type { FloodGuard } from "./flood-guard.js";
import type { SendWindows } from "./flow-control.js";
import type { FrameWriter } from "./frame-writer.js";
import { Flag, FRAME_SIZE, MAX_WINDOW, readUint32, Setting } from "./frames.js";
import type { Limits } from "./limits.js";

/** Returns the settings that this side announces. They never change. */
export function ownSettings(role: "server" | "client", limits: Limits): readonly (readonly [number, number])[] {
  return [
    [Setting.INITIAL_WINDOW_SIZE, limits.streamWindow],
    [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListSize],
    role === "client" ? [Setting.ENABLE_PUSH, 0] : [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
  ];
}

/** The peer's settings (RFC 9113, section 6.5). */
export class PeerSettings {
  /** SETTINGS_MAX_CONCURRENT_STREAMS. */
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  /** Whether the peer's first SETTINGS have arrived. */
  isReceived = false;
  #acknowledgements = 0;

  /** `changed` is called after each SETTINGS frame with values. */
  constructor(
    private readonly role: "server" | "client",
    private readonly windows: SendWindows,
    private readonly frames: FrameWriter,
    private readonly floodGuard: FloodGuard,
    private readonly changed: () => void,
  ) {}

  /** Reads a SETTINGS frame. */
  receive(flags: number, id: number, source: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError("SETTINGS on a stream");
    if (flags & Flag.ACK) {
      if (start !== end) throw frameSizeError("SETTINGS");
      if (++this.#acknowledgements > 1) throw protocolError("SETTINGS that were never sent are acknowledged");
      return;
    }
    if ((end - start) % 6 !== 0) throw frameSizeError("SETTINGS");
    this.floodGuard.charge(Math.max(1, (end - start) / 6));
    let window = this.windows.initial;
    let largest = window;
    for (let at = start; at < end; at += 6) {
      const name = ((source[at] as number) << 8) | (source[at + 1] as number);
      const value = readUint32(source, at + 2);
      if (name === Setting.INITIAL_WINDOW_SIZE) {
        if (value > MAX_WINDOW) throw windowOverflow("a window");
        window = value;
        largest = Math.max(largest, value);
      } else this.#setting(name, value);
    }
    this.windows.changeInitial(window, largest);
    this.frames.settingsAck();
    this.isReceived = true;
    this.windows.resumeAll();
    this.changed();
  }

  #setting(name: number, value: number): void {
    switch (name) {
      case Setting.HEADER_TABLE_SIZE:
        this.frames.setMaxTableSize(value);
        return;
      case Setting.ENABLE_PUSH:
        if (value > 1 || (this.role === "client" && value === 1)) throw protocolError("ENABLE_PUSH has no such value");
        return;
      case Setting.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return;
      case Setting.MAX_FRAME_SIZE:
        // The value changes nothing: no frame is longer than the size that every endpoint takes.
        if (value < FRAME_SIZE || value > 2 ** 24 - 1) throw protocolError("MAX_FRAME_SIZE is out of bounds");
    }
  }
}
