import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { parseGoDuration } from '../../src/api/duration.ts'
import { at, textAt } from '../harness/json.ts'
import type { Validator } from '../validators/chain.ts'
import type { CertificateSpec, Issued } from './issued.ts'

/** cert-manager's own bound for what an issuer may add or take. */
const durationFuzzMs = 30_000
const defaultDuration = '2160h'

/**
 * What cert-manager's suite checks of every certificate
 * (test/e2e/framework/helper/validation/certificates). The names of a check are those of its
 * functions there, where they are not told by the message.
 */
export async function checkIssued(
  issued: Issued,
  spec: CertificateSpec,
  go: Validator,
): Promise<void> {
  checkNames(issued, spec)
  checkSubject(issued, spec)
  checkKey(issued, spec)
  checkObjects(issued)
  checkTimes(issued, spec)
  assert.equal(issued.isCA, spec.isCA ?? false, 'the CA flag of basicConstraints')
  await checkTrust(issued, spec, go)
}

function checkNames({ names }: Issued, spec: CertificateSpec): void {
  const ofKind = (kind: string) =>
    names.flatMap((name) => (name.startsWith(`${kind}:`) ? [name.slice(kind.length + 1)] : []))
  const missing = (spec.dnsNames ?? []).filter((name) => !ofKind('dns').includes(name))
  assert.deepEqual(missing, [], 'DNS names that are missing')
  for (const [kind, wanted] of [
    ['ip', spec.ipAddresses],
    ['url', spec.uris],
    ['email', spec.emailAddresses],
  ] as const) {
    assert.deepEqual(ofKind(kind).toSorted(), (wanted ?? []).toSorted(), kind)
  }
}

function checkSubject({ subject, names }: Issued, spec: CertificateSpec): void {
  const values = (type: string) =>
    subject.flatMap((text) => (text.startsWith(`${type}=`) ? [text.slice(type.length + 1)] : []))
  const wanted = fromLiteral(spec.literalSubject, 'O')
  assert.deepEqual(values('O'), wanted, 'organizations')
  const [commonName, ...others] = values('CN')
  assert.deepEqual(others, [], 'one common name at most')
  const wantedName = spec.commonName ?? fromLiteral(spec.literalSubject, 'CN')[0]
  if (wantedName !== undefined || commonName === undefined) {
    assert.equal(commonName, wantedName, 'common name')
  } else {
    // One that the issuer set must be a name that was asked for.
    assert.ok(names.includes(`dns:${commonName}`) || names.includes(`ip:${commonName}`), commonName)
  }
}

function fromLiteral(subject: string | undefined, type: string): readonly string[] {
  const attributes = subject?.split(',') ?? []
  return attributes.flatMap((text) =>
    text.startsWith(`${type}=`) ? [text.slice(type.length + 1)] : [],
  )
}

function checkKey({ privateKey, leaf }: Issued, spec: CertificateSpec): void {
  const types = { RSA: 'rsa', ECDSA: 'ec', Ed25519: 'ed25519' } as const
  assert.equal(privateKey.asymmetricKeyType, types[spec.privateKey?.algorithm ?? 'RSA'])
  const certified = Buffer.from(leaf.publicKey.rawData)
  const own = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  assert.ok(own.equals(certified), 'the private key is not that of the certificate')
}

/** ExpectValidKeysInSecret, ExpectValidAnnotations, ExpectConditionReadyObservedGeneration. */
function checkObjects({ certificate, secret }: Issued): void {
  const data = at(secret, 'data')
  const keys = Object.keys(typeof data === 'object' && data !== null ? data : {})
  assert.deepEqual(keys.toSorted(), ['ca.crt', 'tls.crt', 'tls.key'])
  const name = textAt(secret, 'metadata', 'annotations', 'cert-manager.io/certificate-name')
  assert.equal(name, textAt(certificate, 'metadata', 'name'))
}

function checkTimes({ leaf, certificate }: Issued, spec: CertificateSpec): void {
  const notAfter = leaf.notAfter.getTime()
  assert.equal(Date.parse(textAt(certificate, 'status', 'notAfter')), notAfter, 'notAfter')
  const wanted = parseGoDuration(spec.duration ?? defaultDuration) ?? 0
  const difference = Math.abs(notAfter - leaf.notBefore.getTime() - wanted)
  assert.ok(difference <= durationFuzzMs, `the duration is ${difference} ms off`)
}

/** ExpectCorrectTrustChain, by the same verifier; ExpectCARootCertificate. */
async function checkTrust(
  { leaf, above, roots }: Issued,
  spec: CertificateSpec,
  go: Validator,
): Promise<void> {
  assert.deepEqual(
    roots.map(({ subject }) => subject),
    roots.map(({ issuer }) => issuer),
    'no root',
  )
  const [root, ...others] = roots
  assert.ok(root && others.length === 0, `${roots.length} certificates in ca.crt`)
  const chain = {
    title: leaf.subject,
    traits: { identity: '', use: '', algorithm: '', bounds: '' },
    certificates: [leaf, ...above, root].map(({ rawData }) => new Uint8Array(rawData)),
    purposes: spec.usages && !spec.usages.includes('server auth') ? [] : ['1.3.6.1.5.5.7.3.1'],
    host: spec.dnsNames?.[0] ?? '',
    time: Math.ceil(Date.now() / 1000) * 1000,
  }
  assert.deepEqual(await go.judge([chain]), [[]])
}
