/** Returns a signal that is aborted at Ctrl-C or SIGTERM, so that work ends cleanly. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
