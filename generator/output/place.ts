/** The destination of output, and the tool's version. */
export interface OutputPlace {
  /** The project's root, absolute. */
  readonly root: string;
  /** The folder of generated files, relative to the root. */
  readonly generated: string;
  /** The tool's version. An older version does not write into a newer one's project. */
  readonly version: string;
}
