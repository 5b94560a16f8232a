import { latin1 } from './bytes.ts'
import { type Element, tags } from './der.ts'
import { refuse } from './refusal.ts'

/** Milliseconds since the Unix epoch of a date in a certificate (RFC 5280 §4.1.2.5). */
export function readTime({ tag, content }: Element): number {
  const text = latin1(content)
  const ms = tag === tags.utcTime || tag === tags.generalizedTime ? parse(tag, text) : undefined
  if (ms !== undefined) return ms
  return refuse(
    'validity-malformed',
    `${JSON.stringify(text)} is not a date of a certificate; expected UTC with seconds and nothing finer`,
  )
}

/** For messages: `2026-11-22T10:00:00Z`. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}

/** For messages: `2160h`, `90m`, `300s`. The largest unit that divides it, as cert-manager writes. */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds % 3600 === 0) return `${seconds / 3600}h`
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}

const pattern = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/

function parse(tag: number, text: string): number | undefined {
  const full = tag === tags.generalizedTime ? text : `${text < '50' ? '20' : '19'}${text}`
  const fields = pattern.exec(full)
  if (fields === null) return undefined
  const [, year, month, day, hour, minute, second] = fields
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const ms = Date.parse(iso)
  // Date.parse takes 31 February and moves it.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? undefined : ms
}
