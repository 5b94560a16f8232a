import { literalNames } from '../api/delivery.ts'
import { IssuerError, retryClassByCode } from '../error.ts'
import type { CertificateDirectory, DirectoryEntry } from '../vault/certificate_directory.ts'
import type { Deliverer } from './issuer_state.ts'

/**
 * Proves that an issuer can deliver: a token is had, and what its entries name can be read. No secret
 * is read for it. One name that cannot be read does not hold up the others: its entry says why.
 *
 * @returns what is behind the entries that name one certificate each
 * @throws IssuerError when nothing could be read
 */
export async function probeDeliverer(
  deliverer: Deliverer,
  directory: CertificateDirectory,
  signal: AbortSignal,
): Promise<readonly DirectoryEntry[]> {
  const { issuer, vault, allowed } = deliverer
  const names = literalNames(allowed)
  await vault.authenticate(signal)
  directory.watch(issuer, deliverer, names)
  const offers = await Promise.all(
    names.map((name) => directory.read(issuer, deliverer, name, signal)),
  )
  const unreadable = offers.find((offer) => !isReadable(offer))?.trouble
  if (unreadable !== undefined && !offers.some(isReadable)) {
    throw new IssuerError(unreadable.code, unreadable.message)
  }
  return offers
}

function isReadable({ current, trouble }: DirectoryEntry): boolean {
  if (trouble === undefined || trouble.code === 'CertificateInvalid') return true
  return current !== undefined && retryClassByCode[trouble.code] === 'backoff'
}
