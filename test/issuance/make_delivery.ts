import type { Certificate } from '../../src/api/certificate.ts'
import type { DeliverableEntry } from '../../src/api/delivery.ts'
import type { Deliverer } from '../../src/issuance/issuer_state.ts'
import { namesOf } from '../../src/pki/certificate_names.ts'
import { objectIdentifier, sequence } from '../../src/pki/der_writer.ts'
import { encodeKeyUsage, type KeyUsage } from '../../src/pki/key_usage.ts'
import { oid } from '../../src/pki/oids.ts'
import type { UsableVersion } from '../../src/vault/version_choice.ts'
import { type KeyPair, type KeyType, keyOf } from '../pki/keys.ts'
import { day, makeCa, now } from '../pki/make_ca.ts'
import { dnsName, extension, makeName, subjectAltName } from '../pki/make_csr.ts'
import { makeNoVault } from '../vault/no_vault.ts'
import { makeCondition } from './make_request.ts'

export interface VersionParts {
  readonly version?: string
  readonly keyType?: KeyType
  /** Sets keys of one type apart; those with the same mark are one key. */
  readonly mark?: string
  readonly commonName?: string
  /** General names in place of DNS name `myapp.example.com`. */
  readonly names?: readonly Uint8Array[]
  readonly notBefore?: number
  readonly notAfter?: number
  readonly keyUsage?: KeyUsage
  /** OIDs. */
  readonly purposes?: readonly string[]
}

/** A usable version for `myapp.example.com` with a P-256 key, in the middle of its 90 days. */
export function makeVersion(parts: VersionParts = {}): UsableVersion & { readonly key: KeyPair } {
  const { keyType = 'ECDSA P-256', mark = 'vault', commonName, purposes } = parts
  const key = keyOf(keyType, mark)
  const names = parts.names ?? [dnsName('myapp.example.com')]
  const { certificate } = makeCa({
    ca: false,
    key,
    issuer: issuingCa,
    keyUsage: 0,
    subject: makeName(commonName === undefined ? {} : { '2.5.4.3': commonName }),
    notBefore: parts.notBefore ?? now - 30 * day,
    notAfter: parts.notAfter ?? now + 60 * day,
    extensions: [
      ...(names.length === 0 ? [] : [subjectAltName(...names)]),
      ...(parts.keyUsage === undefined
        ? []
        : [extension(oid.keyUsage, encodeKeyUsage(parts.keyUsage), true)]),
      ...(purposes === undefined
        ? []
        : [extension(oid.extKeyUsage, sequence(...purposes.map(objectIdentifier)))]),
    ],
  })
  return { version: parts.version ?? 'v1', certificate, names: namesOf(certificate), key }
}

const issuingCa = makeCa({ name: 'Fabrikam Sites' })

/** The Certificate behind `makeRequest`, being issued, right in all that `parts` leaves out. */
export function makeCertificate(parts: Partial<Certificate> = {}): Certificate {
  return {
    uid: '66666666-7777-8888-9999-000000000000',
    namespace: 'istio-system',
    name: 'myapp-cert',
    resourceVersion: '7',
    generation: 1,
    issuerRef: { group: 'keyvault.akv-issuer.io', kind: 'ClusterIssuer', name: 'akv-issuer' },
    secretName: 'myapp-tls',
    privateKey: { algorithm: 'ECDSA', size: 256 },
    isCA: false,
    names: {
      commonName: undefined,
      literalSubject: undefined,
      dnsNames: ['myapp.example.com'],
      ipAddresses: [],
      uris: [],
      emailAddresses: [],
    },
    renewal: { disabled: false, renewBeforeMs: undefined, renewBeforePercentage: undefined },
    chosen: undefined,
    revision: 0,
    nextKeySecret: 'myapp-cert-x7f2k',
    issuing: makeCondition('Issuing', 'DoesNotExist'),
    ready: undefined,
    lastFailureTime: undefined,
    ...parts,
  }
}

/** Delivers `myapp` to all namespaces, unless other entries are given. */
export function makeDeliverer(
  allowed: readonly DeliverableEntry[] = [{ name: 'myapp', namespaces: { all: true } }],
  namespace?: string,
): Deliverer {
  return {
    issuer: 'ClusterIssuer/akv-issuer',
    vault: makeNoVault(),
    vaultHost: 'contoso.vault.azure.net',
    allowed,
    namespace,
  }
}
