const unitMs = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['ns', 1e-6],
])

/** A duration in Go's notation (`2160h`, `1h30m`) in milliseconds; `undefined` when it is none. */
export function parseGoDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (text === '0') return 0
  if (!/^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h)|\.\d+(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    return undefined
  }
  let sum = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(number) * (unitMs.get(unit ?? '') ?? 0)
  }
  return text.startsWith('-') ? -sum : sum
}

/** Milliseconds for people: the two largest units that are not zero, as in `89d23h` or `4m30s`. */
export function describeDuration(ms: number): string {
  const sign = ms < 0 ? '-' : ''
  let rest = Math.round(Math.abs(ms) / 1000)
  const parts: string[] = []
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / seconds)
    rest -= count * seconds
    if (count > 0) parts.push(`${count}${unit}`)
  }
  return parts.length === 0 ? '0s' : sign + parts.slice(0, 2).join('')
}
