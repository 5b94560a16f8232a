import { isIP } from 'node:net'

/** Whether a name is let through. */
export type Matches = (name: string) => boolean

const label = '[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?'
const dnsPattern = new RegExp(`^(?:\\*\\*?\\.)?(?:${label}\\.)*${label}$`)

/**
 * `example.com` is itself alone, `*.example.com` anything with one label more, `**.example.com` with
 * one or more; a wildcard certificate's `*` counts as a label. `*` is any name. `undefined` for what is no pattern.
 */
export function parseDnsPattern(text: string): Matches | undefined {
  const pattern = text.toLowerCase()
  if (pattern === '*') return () => true
  if (!dnsPattern.test(pattern)) return undefined
  if (pattern.startsWith('**.')) {
    const suffix = pattern.slice(2)
    return (name) => name.length > suffix.length && name.toLowerCase().endsWith(suffix)
  }
  if (pattern.startsWith('*.')) {
    const suffix = pattern.slice(1)
    return (name) => {
      const lower = name.toLowerCase()
      const first = lower.slice(0, -suffix.length)
      return lower.endsWith(suffix) && first !== '' && !first.includes('.')
    }
  }
  return (name) => name.toLowerCase() === pattern
}

/** Itself alone, or all that begins with what stands before a final `*`. `*` alone is any. */
export function parsePrefixPattern(text: string): Matches | undefined {
  const star = text.indexOf('*')
  if (text === '' || (star !== -1 && star !== text.length - 1)) return undefined
  const prefix = text.slice(0, -1)
  return star === -1 ? (value) => value === text : (value) => value.startsWith(prefix)
}

/** As a prefix pattern, but a `*` stands for whole path segments: nothing longer than the host's name slips in. */
export function parseUriPattern(text: string): Matches | undefined {
  if (text.includes('*') && text !== '*' && !text.endsWith('/*')) return undefined
  return parsePrefixPattern(text)
}

/** `10.0.0.0/8`, `2001:db8::/32` or one address, matched on octets. `*` is any. */
export function parseIpRange(text: string): ((octets: Uint8Array) => boolean) | undefined {
  if (text === '*') return () => true
  const [address = '', length, ...rest] = text.split('/')
  const network = parseIpAddress(address)
  if (network === undefined || rest.length > 0) return undefined
  const most = network.length * 8
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : most + 1
  if (bits > most) return undefined
  return (octets) => octets.length === network.length && samePrefix(octets, network, bits)
}

/** The 4 or 16 octets of an address. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  if (isIP(text) === 4) return Uint8Array.from(text.split('.'), Number)
  if (isIP(text) !== 6 || text.includes('%')) return undefined
  // The URL parser writes an IPv4 tail as groups, and one run of zeros as "::".
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'))
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false
  const mask = (0xff << (8 - (bits & 7))) & 0xff
  return ((a[whole] ?? 0) & mask) === ((b[whole] ?? 0) & mask)
}
