/** `p50 1.20 s, p99 2.00 s` of times in milliseconds. */
export function quantilesText(times: readonly number[]): string {
  const ascending = times.toSorted((a, b) => a - b)
  const quantile = (share: number) =>
    ascending[Math.ceil(share * ascending.length) - 1] ?? Number.NaN
  return `p50 ${secondsText(quantile(0.5))}, p99 ${secondsText(quantile(0.99))}`
}

export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
