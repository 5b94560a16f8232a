import { refuse } from './refusal.ts'
import type { SubjectKey } from './subject_key.ts'

/** Refuses RSA keys that are broken by how they were made. Other keys have no such weakness. */
export function checkKeyStrength(key: SubjectKey): void {
  if (key.kind !== 'rsa') return
  const residues = residuesOf(key.modulus)
  for (const [prime, residue] of residues) {
    if (residue === 0) weak(`its modulus is divisible by ${prime}`)
  }
  if (hasRocaFingerprint(residues)) {
    weak('it bears the fingerprint of a faulty Infineon chip (ROCA, CVE-2017-15361)')
  }
  if (hasCloseFactors(key.modulus)) weak('its factors are so close that Fermat’s method finds them')
}

function weak(reason: string): never {
  return refuse('key-weak', `the RSA key is weak: ${reason}; make a new key`)
}

/** The odd primes below 752, as in boulder's goodkey. */
const smallPrimes: readonly number[] = oddPrimesBelow(752)

/** Products of neighbours that stay exact in a double: one division of the modulus serves several. */
const primeGroups = groupPrimes(smallPrimes)

function residuesOf(modulus: bigint): ReadonlyMap<number, number> {
  const residues = new Map<number, number>()
  for (const { product, primes } of primeGroups) {
    const remainder = Number(modulus % product)
    for (const prime of primes) residues.set(prime, remainder % prime)
  }
  return residues
}

/**
 * ROCA keys have primes of the form k·M + (65537^a mod M) with M the product of the first primes,
 * so modulo each of them the modulus is a power of 65537. By chance that holds for 1 key in 2^27
 * (Nemec et al., CCS 2017, §2.3).
 */
function hasRocaFingerprint(residues: ReadonlyMap<number, number>): boolean {
  return rocaPowers.every(({ prime, powers }) => powers.has(residues.get(prime) ?? 0))
}

/** The primes that divide M for every key size. */
const rocaPowers = oddPrimesBelow(168).map((prime) => ({ prime, powers: powersOf(65_537, prime) }))

/** Whether p and q are near √n (CVE-2022-26320): a² − n is a square for an a just above the root. */
function hasCloseFactors(modulus: bigint): boolean {
  const root = squareRoot(modulus)
  if (root ** 2n === modulus) return true
  const first = root + 1n
  // Squares are rare among residues: all but about one of 110 rounds end without big numbers.
  const filters = squareFilters.map(({ size, squares }) => ({
    size,
    squares,
    a: Number(first % BigInt(size)),
    n: Number(modulus % BigInt(size)),
  }))
  for (let round = 0; round < 110; round += 1) {
    const mayBeSquare = filters.every(({ size, squares, a, n }) => {
      const residue = (a + round) % size
      return squares.has((residue * residue - n + size * size) % size)
    })
    if (mayBeSquare && isSquare((first + BigInt(round)) ** 2n - modulus)) return true
  }
  return false
}

/** 2^10 and 9·5·7·11·13: with them 1 number in 180 passes that is no square. */
const squareFilters = [1024, 45_045].map((size) => ({
  size,
  squares: new Set(Array.from({ length: size }, (_, n) => (n * n) % size)),
}))

function isSquare(n: bigint): boolean {
  return squareRoot(n) ** 2n === n
}

/** The largest integer whose square is at most `n`, by Newton's method from above. */
function squareRoot(n: bigint): bigint {
  // Beginning with the leading digits that a double holds halves the rounds.
  const shift = BigInt(Math.max(n.toString(16).length - 12, 0) * 2)
  let root = BigInt(Math.ceil(Math.sqrt(Number(n >> (2n * shift)) + 1)) + 1) << shift
  for (;;) {
    const next = (root + n / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

function oddPrimesBelow(limit: number): readonly number[] {
  const primes: number[] = []
  for (let n = 3; n < limit; n += 2) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes
}

function groupPrimes(primes: readonly number[]) {
  const groups: { product: bigint; primes: number[] }[] = []
  let product = Number.POSITIVE_INFINITY
  for (const prime of primes) {
    const last = groups.at(-1)
    if (last !== undefined && product * prime < Number.MAX_SAFE_INTEGER) {
      product *= prime
      last.product = BigInt(product)
      last.primes.push(prime)
    } else {
      product = prime
      groups.push({ product: BigInt(prime), primes: [prime] })
    }
  }
  return groups
}

function powersOf(base: number, prime: number): ReadonlySet<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * base) % prime) powers.add(power)
  return powers
}
