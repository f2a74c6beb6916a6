/** Where output goes, and who writes it. */
export interface OutputPlace {
  /** The project's root, absolute. */
  readonly root: string;
  /** The folder that is all the tool's, relative to the root. */
  readonly generated: string;
  /** The tool's version. A project that a newer one wrote is not written by an older one. */
  readonly version: string;
}
