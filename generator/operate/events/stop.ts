/** Aborted at Ctrl-C, or when the process is asked to end: what goes on until then ends as it should. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
