import { oid } from '../../src/pki/oids.ts'

/** What a certificate is asked for to be used for, and what a validator must then take it for. */
export interface Use {
  readonly title: string
  /** cert-manager's names. */
  readonly usages: readonly string[]
  readonly isCA: boolean
  /** OIDs of key purposes; none: for whatever it may be used for. */
  readonly purposes: readonly string[]
}

const server = ['digital signature', 'key encipherment', 'server auth']
const client = ['digital signature', 'client auth']
const every = [
  'digital signature',
  'signing',
  'content commitment',
  'key encipherment',
  'data encipherment',
  'key agreement',
  'crl sign',
  'server auth',
  'client auth',
  'code signing',
  'email protection',
  's/mime',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'microsoft sgc',
  'netscape sgc',
]

export const uses: readonly Use[] = [
  leaf('server', server, oid.serverAuth),
  leaf('client', client, oid.clientAuth),
  leaf('client with key encipherment', [...client, 'key encipherment'], oid.clientAuth),
  leaf('server and client', [...server, 'client auth'], oid.serverAuth, oid.clientAuth),
  leaf('the default', [], oid.serverAuth, oid.clientAuth, oid.emailProtection),
  leaf('key purpose alone', ['server auth'], oid.serverAuth),
  leaf('signing', ['signing', 'content commitment'], oid.clientAuth),
  leaf(
    'key agreement',
    ['signing', 'key agreement', 'encipher only', 'server auth'],
    oid.serverAuth,
  ),
  leaf('CRL signing', ['signing', 'crl sign'], oid.clientAuth),
  leaf('code', ['digital signature', 'code signing'], oid.codeSigning),
  leaf('email', ['digital signature', 'email protection'], oid.emailProtection),
  leaf('time stamping', ['digital signature', 'timestamping'], oid.timeStamping),
  leaf('OCSP', ['digital signature', 'ocsp signing'], oid.ocspSigning),
  leaf('IPsec', ['digital signature', 'ipsec end system'], oid.ipsecEndSystem),
  leaf('any', ['digital signature', 'any'], oid.anyExtendedKeyUsage),
  leaf('every usage', every, oid.serverAuth, oid.codeSigning, oid.ipsecUser),
  ca('CA by default', []),
  ca('CA with its usages', ['cert sign', 'crl sign', 'digital signature']),
  ca('CA for servers', ['cert sign', 'server auth']),
]

function leaf(title: string, usages: readonly string[], ...purposes: readonly string[]): Use {
  return { title, usages, isCA: false, purposes }
}

function ca(title: string, usages: readonly string[]): Use {
  return { title, usages, isCA: true, purposes: [] }
}
