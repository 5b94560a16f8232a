import { type Clock, systemClock } from '../clock.ts'
import { stopOnSignal } from './stop_signal.ts'

/** What a command has of the process that it runs in. */
export interface CommandContext {
  readonly clock: Clock
  /** Aborted when the command is to end. */
  readonly signal: AbortSignal
  /** For what was asked for. */
  out(text: string): void
  /** For everything else. */
  err(text: string): void
}

export function processContext(): CommandContext {
  return {
    clock: systemClock,
    signal: stopOnSignal(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  }
}
