/** Bundles the tool into a folder: what its package holds as `dist`, less the protos. */
export function bundle(outdir: string): Promise<void>;
