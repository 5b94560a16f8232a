/**
 * Rows that choose one value of each dimension so that any two values of different dimensions meet
 * in some row: what goes wrong when two things come together is found by far fewer rows than all.
 *
 * @param sizes how many values each dimension has
 * @returns rows of indexes, the same ones each time
 */
export function coverPairs(sizes: readonly number[]): readonly (readonly number[])[] {
  const missing = new Set(allPairs(sizes))
  const rows: (readonly number[])[] = []
  for (const pair of missing) {
    const row = completeRow(sizes, pair, missing, rows.length)
    for (const met of pairsIn(row)) missing.delete(met)
    rows.push(row)
  }
  return rows
}

/** Two dimensions, and a value of each, as one number. */
type Pair = number

const maxValues = 1000

function pairOf(i: number, a: number, j: number, b: number): Pair {
  return i < j
    ? ((i * maxValues + a) * maxValues + j) * maxValues + b
    : ((j * maxValues + b) * maxValues + i) * maxValues + a
}

function* allPairs(sizes: readonly number[]): Generator<Pair> {
  for (const [i, many] of sizes.entries()) {
    for (const [j, others] of sizes.entries()) {
      if (j <= i) continue
      for (let a = 0; a < many; a += 1) {
        for (let b = 0; b < others; b += 1) yield pairOf(i, a, j, b)
      }
    }
  }
}

/** Fills the row of one pair, each dimension with what brings the most missing pairs together. */
function completeRow(
  sizes: readonly number[],
  pair: Pair,
  missing: ReadonlySet<Pair>,
  turn: number,
): readonly number[] {
  const row = new Map<number, number>(valuesOf(pair))
  for (const [i, size] of sizes.entries()) {
    if (row.has(i)) continue
    let best = { value: 0, gain: -1 }
    for (let n = 0; n < size; n += 1) {
      // From another value on each time, so that dimensions of one size do not go in step.
      const value = (n + scattered(turn, i)) % size
      const gain = [...row].filter(([j, other]) => missing.has(pairOf(i, value, j, other))).length
      if (gain > best.gain) best = { value, gain }
    }
    row.set(i, best.value)
  }
  return sizes.map((_, i) => row.get(i) ?? 0)
}

/** A number that looks like chance, and is the same each time. */
function scattered(a: number, b: number): number {
  const mixed = Math.imul(a * 31 + b + 1, 0x9e37_79b1)
  return Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b) >>> 8
}

function valuesOf(pair: Pair): readonly (readonly [number, number])[] {
  const digits = [3, 2, 1, 0].map((n) => Math.floor(pair / maxValues ** n) % maxValues)
  const [i = 0, a = 0, j = 0, b = 0] = digits
  return [
    [i, a],
    [j, b],
  ]
}

function* pairsIn(row: readonly number[]): Generator<Pair> {
  for (const [i, a] of row.entries()) {
    for (const [j, b] of row.entries()) if (i < j) yield pairOf(i, a, j, b)
  }
}
