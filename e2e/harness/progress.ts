/** What a person sees while something takes long. */
export interface Progress {
  /** Ends the running line, if any, and replaces it by this one. */
  done(text: string): void
}

const plainEveryMs = 10_000
const liveEveryMs = 200

/**
 * Shows `text()` with the seconds passed until `done`: one line that is rewritten on a terminal, and
 * elsewhere a line at the start and every 10 s.
 */
export function showProgress(
  text: () => string,
  out: NodeJS.WriteStream = process.stderr,
): Progress {
  const start = performance.now()
  const line = () => `${text()} ${seconds(performance.now() - start)}`
  const write = () =>
    out.write(out.isTTY ? `\r\x1b[K${line().slice(0, out.columns - 1)}` : `${line()}\n`)
  if (out.isTTY) write()
  else out.write(`${text()}\n`)
  const timer = setInterval(write, out.isTTY ? liveEveryMs : plainEveryMs)
  timer.unref()
  return {
    done(last) {
      clearInterval(timer)
      out.write(`${out.isTTY ? '\r\x1b[K' : ''}${last}\n`)
    },
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}
