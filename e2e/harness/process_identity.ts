import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { at, type Json } from './json.ts'

/**
 * One process of this machine since its start. A pid alone may belong to somebody else by the time
 * it is used; pid, start time and boot together do not.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat, clock ticks since boot. */
  readonly startTime: string
  readonly bootId: string
}

/** Undefined when no such process exists; one that ended but was not yet waited for still does. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid)
  return stat && { pid, startTime: stat.startTime, bootId: readBootId() }
}

/** Undefined when the JSON is something else. */
export function parseIdentity(json: Json | undefined): ProcessIdentity | undefined {
  const [pid, startTime, bootId] = [at(json, 'pid'), at(json, 'startTime'), at(json, 'bootId')]
  const isIdentity =
    typeof pid === 'number' && typeof startTime === 'string' && typeof bootId === 'string'
  return isIdentity ? { pid, startTime, bootId } : undefined
}

export function isRunning(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid)
  if (!stat || stat.state === 'Z' || stat.state === 'X') return false
  return stat.startTime === identity.startTime && identity.bootId === readBootId()
}

/** TERM, and KILL after `graceMs`, to exactly this process. Resolves when it is gone. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  for (const [signal, ms] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!isRunning(identity)) return
    sendSignal(identity.pid, signal)
    for (const end = performance.now() + ms; performance.now() < end; ) {
      if (!isRunning(identity)) return
      await delay(20)
    }
  }
  throw new Error(`process ${identity.pid} is still there after SIGKILL`)
}

/** False when the process is already gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

function readStat(pid: number): { state: string; startTime: string } | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the command in parentheses and may hold anything, so count from its end.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = rest[18]
  return state === undefined || startTime === undefined ? undefined : { state, startTime }
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
