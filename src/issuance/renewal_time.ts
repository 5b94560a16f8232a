import type { RenewalSpec } from '../api/certificate.ts'

/**
 * When cert-manager renews a certificate (pkg/util/pki/renewaltime.go), in milliseconds since the
 * epoch; `undefined` for never. Windows of `spec.renewal` only make it later, and are left out.
 */
export function renewalTime(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  { disabled, renewBeforeMs, renewBeforePercentage }: RenewalSpec,
): number | undefined {
  if (disabled) return undefined
  const lifetime = notAfter - notBefore
  const before = (): number => {
    if (renewBeforeMs !== undefined && renewBeforeMs > 0 && renewBeforeMs < lifetime) {
      return renewBeforeMs
    }
    const percentage = renewBeforePercentage ?? 0
    return percentage > 0 && percentage < 100 ? (lifetime * percentage) / 100 : lifetime / 3
  }
  return Math.floor((notAfter - before()) / 1000) * 1000
}
