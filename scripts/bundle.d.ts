/**
 * Bundles the tool into a folder: what its package holds as `dist`, less templates and protos. `alone`: with all of the runtime
 * inside.
 */
export function bundle(outdir: string, options?: { alone?: boolean }): Promise<void>;
