import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { readClientCertificate, type TlsPair } from '../../src/vault/client_certificate.ts'

const origin = 'Secret "entra" in namespace "apps"'
const app = pair('rsa:2048')
const other = pair('rsa:2048')
const notAfter = new X509Certificate(app.certificate).validToDate
const notBefore = new X509Certificate(app.certificate).validFromDate
const now = notBefore.getTime() + 60_000

test('a pair is read: one certificate, and the key as PKCS #8', () => {
  const chained = { ...app, certificate: app.certificate + other.certificate }
  assert.deepEqual(readClientCertificate(chained, origin, now), {
    certificate: app.certificate,
    privateKey: app.privateKey,
  })
})

test('what is wrong with a pair is said in words, without the key', () => {
  const expired = notAfter.getTime()
  const cases: readonly (readonly [string, TlsPair, number, string])[] = [
    [
      'no certificate',
      { ...app, certificate: 'x' },
      now,
      'tls.crt holds no certificate in PEM — put it there',
    ],
    [
      'no key',
      { ...app, privateKey: 'x' },
      now,
      'tls.key holds no private key in PEM, or an encrypted one — put it there decrypted (openssl pkey)',
    ],
    [
      'an elliptic key',
      pair('ec'),
      now,
      'tls.key is of type ec, and Entra takes RSA from applications — make and register a ' +
        'certificate with an RSA key',
    ],
    [
      'halves of two pairs',
      { ...app, privateKey: other.privateKey },
      now,
      'tls.key is not the key of the certificate in tls.crt — put in both of one pair',
    ],
    [
      'expired',
      app,
      expired,
      `the certificate expired at ${notAfter.toISOString()} — register a new one for the ` +
        'application and put it there',
    ],
    [
      'not yet valid',
      app,
      notBefore.getTime() - 1,
      `the certificate is not valid before ${notBefore.toISOString()} — wait, or check the clocks`,
    ],
  ]
  for (const [name, given, at, says] of cases) {
    assert.throws(
      () => readClientCertificate(given, origin, at),
      (error) => {
        assert(error instanceof IssuerError)
        assert.deepEqual(
          [error.code, error.message],
          ['ReferenceInvalid', `${origin}: ${says}`],
          name,
        )
        return true
      },
      name,
    )
  }
})

function pair(algorithm: 'rsa:2048' | 'ec'): TlsPair {
  const dir = mkdtempSync(join(tmpdir(), 'client-certificate-'))
  try {
    const [key, certificate] = [join(dir, 'tls.key'), join(dir, 'tls.crt')]
    const curve = algorithm === 'ec' ? ['-pkeyopt', 'ec_paramgen_curve:P-256'] : []
    const args = ['req', '-x509', '-newkey', algorithm, ...curve, '-nodes', '-subj', '/CN=app']
    execFileSync('openssl', [...args, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
    return {
      certificate: readFileSync(certificate, 'utf8'),
      privateKey: readFileSync(key, 'utf8'),
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
}
