/**
 * Bundles the tool into a folder: what its package holds as `dist`, less templates and protos. `alone`: with all of the runtime
 * inside. `programs`: further ones to run, by the file that each becomes.
 */
export function bundle(outdir: string, options?: BundleOptions): Promise<void>;

export interface BundleOptions {
  readonly alone?: boolean;
  readonly programs?: Readonly<Record<string, string>>;
}
