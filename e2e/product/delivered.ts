import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { encodePem } from '../../src/pki/pem.ts'
import { type KeyPair, type KeyType, makeKey } from '../../test/pki/keys.ts'
import { type Ca, makeCa } from '../../test/pki/make_ca.ts'
import { dnsName, makeName, subjectAltName } from '../../test/pki/make_csr.ts'
import type { Cluster } from '../harness/cluster.ts'
import { at, textAt } from '../harness/json.ts'
import { until } from '../harness/until.ts'
import { deliverInto, installChart } from './chart.ts'
import { bindInNamespace, isByChart } from './controller.ts'
import type { DevVault } from './dev_vault.ts'
import { importCertificate } from './vault_objects.ts'

const hour = 3_600_000
const deliverRbac = join(import.meta.dirname, '..', '..', 'config/rbac/deliver')

export interface LeafParts {
  readonly key?: KeyType
  /** In place of a new one of type `key`. */
  readonly keyPair?: KeyPair
  readonly dnsNames?: readonly string[]
  readonly commonName?: string
  /** From now, in milliseconds. Default: an hour ago, and 90 days. */
  readonly notBefore?: number
  readonly notAfter?: number
}

/** A version of a Key Vault certificate, as whoever imported it knows it. */
export interface VaultVersion {
  readonly name: string
  readonly version: string
  readonly leaf: X509Certificate
}

/** A private CA outside Key Vault whose certificates somebody keeps in Key Vault. */
export class LeafIssuer {
  readonly root: Ca
  readonly intermediate: Ca

  constructor() {
    const life = { notBefore: Date.now() - 24 * hour, notAfter: Date.now() + 24_000 * hour }
    this.root = makeCa({ name: 'Fabrikam Root', ...life })
    this.intermediate = makeCa({ name: 'Fabrikam Sites', issuer: this.root, ...life })
  }

  /** Imports a new version with its chain; by default `NAME.example.com` with a P-256 key. */
  async import(vault: DevVault, name: string, parts: LeafParts = {}): Promise<VaultVersion> {
    const { dnsNames = [`${name}.example.com`], commonName } = parts
    const key = parts.keyPair ?? makeKey(parts.key ?? 'ECDSA P-256')
    const leaf = makeCa({
      ca: false,
      keyUsage: 0,
      subject: makeName(commonName === undefined ? {} : { '2.5.4.3': commonName }),
      key,
      issuer: this.intermediate,
      notBefore: Date.now() + (parts.notBefore ?? -hour),
      notAfter: Date.now() + (parts.notAfter ?? 2_160 * hour),
      extensions: [subjectAltName(...dnsNames.map(dnsName))],
    })
    const chain = [leaf, this.intermediate, this.root]
    const pem = chain.map(({ certificate }) => encodePem('CERTIFICATE', certificate.der)).join('')
    const made = await importCertificate(vault, name, pem, key.privateKey)
    return { ...made, leaf: new X509Certificate(leaf.certificate.der) }
  }
}

/** What an operator does once, to have certificates delivered. */
export async function allowDelivery(cluster: Cluster): Promise<void> {
  if (isByChart()) return await installChart(cluster, { deliver: { enabled: true } })
  const { code, stderr } = await cluster.kubectl(['apply', '-f', deliverRbac])
  if (code !== 0) throw new Error(`kubectl apply: ${stderr}`)
}

/** And for each namespace that they are delivered into. */
export async function openToDelivery(cluster: Cluster, namespace: string): Promise<void> {
  if (isByChart()) return await deliverInto(cluster, namespace)
  await bindInNamespace(cluster, namespace, 'akv-issuer-deliver')
}

/** A ClusterIssuer that delivers what the entries say; plain names are for all namespaces. */
export function deliverIssuer(
  name: string,
  vaultUrl: string,
  certificates: readonly (string | object)[],
  spec: Readonly<Record<string, unknown>> = {},
) {
  const entries = certificates.map((entry) =>
    typeof entry === 'string' ? { name: entry, namespaces: { all: true } } : entry,
  )
  return {
    apiVersion: 'keyvault.akv-issuer.io/v1alpha1',
    kind: 'ClusterIssuer',
    metadata: { name },
    spec: { vaultUrl, certificates: entries, ...spec },
  }
}

/** A version that Key Vault makes itself: self-signed, its secret a PFX; RSA 2048 if nothing is said. */
export async function createSelfSigned(
  vault: DevVault,
  name: string,
  parts: { readonly subject?: string; readonly key_props?: object } = {},
): Promise<VaultVersion> {
  const { subject = `CN=${name}.example.com`, ...rest } = parts
  await vault.manage('POST', `certificates/${name}/create`, {
    policy: {
      issuer: { name: 'Self' },
      ...rest,
      x509_props: {
        subject,
        sans: { dns_names: [`${name}.example.com`] },
        validity_months: 3,
      },
    },
  })
  await until(`certificate ${name} made`, async () => {
    const operation = await vault.manage('GET', `certificates/${name}/pending`)
    return at(operation, 'status') === 'completed'
  })
  const bundle = await vault.manage('GET', `certificates/${name}`)
  const version = textAt(bundle, 'id').split('/').at(-1) ?? ''
  const leaf = new X509Certificate(Buffer.from(textAt(bundle, 'cer'), 'base64'))
  return { name, version, leaf }
}
