/** Aborted by SIGINT and SIGTERM; a second signal ends the process as ever. */
export function stopOnSignal(onSignal: (signal: NodeJS.Signals) => void = () => {}): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      onSignal(name)
      stop.abort()
    })
  }
  return stop.signal
}
