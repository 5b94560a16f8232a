import type { Authority } from '../../src/pki/authority.ts'
import { parseCsr } from '../../src/pki/csr.ts'
import type { InformationUrls } from '../../src/pki/information_urls.ts'
import type { Parsed } from '../../src/pki/refusal.ts'
import { type IssuedCertificate, seal } from '../../src/pki/seal.ts'
import { encodeTbs } from '../../src/pki/tbs.ts'
import {
  type CertificateDecision,
  decide,
  type IssuanceRequest,
  type Limits,
} from '../../src/pki/template.ts'
import { type KeyPair, vaultSign } from './keys.ts'
import { day, now } from './make_ca.ts'
import { accepted } from './outcomes.ts'

export const limits: Limits = {
  defaultDurationMs: 90 * day,
  minDurationMs: 5 * 60_000,
  maxDurationMs: 365 * day,
  backdateMs: 30_000,
}

export const serverUsages = ['digital signature', 'key encipherment', 'server auth']

export interface Ask {
  readonly csr: string
  readonly authority: Authority
  readonly request?: Partial<IssuanceRequest>
  readonly limits?: Partial<Limits>
  readonly now?: number
  readonly serialBytes?: Uint8Array
  readonly urls?: InformationUrls
}

export function decideFor(ask: Ask): Parsed<CertificateDecision> {
  return decide({
    csr: accepted(parseCsr(ask.csr)),
    request: { isCA: false, usages: serverUsages, ...ask.request },
    limits: { ...limits, ...ask.limits },
    authority: ask.authority,
    urls: ask.urls,
    now: ask.now ?? now,
    serialBytes: ask.serialBytes ?? new Uint8Array(16).fill(0xa5),
  })
}

/** The whole way of a request, with `caKey` in the place of the vault. */
export function issue(ask: Ask, caKey: KeyPair): IssuedCertificate {
  const tbs = encodeTbs(accepted(decideFor(ask)))
  return accepted(seal(tbs, vaultSign(caKey, tbs.algorithm, tbs.der)))
}
